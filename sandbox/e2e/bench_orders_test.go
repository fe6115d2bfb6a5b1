//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// ordersRate is how many orders a second BenchmarkCreateOrder places.
const ordersRate = 100

// BenchmarkCreateOrder sells at a steady rate for a minute each time, and measures latency from the intended start and the processor time that
// each service took for an order. The cluster is the one of the tests; it must be up (go test -tags e2e brings it up).
func BenchmarkCreateOrder(b *testing.B) {
	ctx, c := b.Context(), connect(b)
	metrics := prometheus(ctx, b, c)
	loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, b, c, "loadgen"))
	var last *loadgenv1.LoadStats
	for b.Loop() {
		_, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: "orders", Target: "orderservice", Method: "order.v1.OrderService/CreateOrder",
			RequestJson: `{"userId":"u-{{ n 1 1000 }}","lines":[{"sku":"sku-{{ n 1 99 }}","quantity":1}]}`, Rate: ordersRate, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		intended := int64(0)
		err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
			all, err := loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{})
			for _, l := range all.GetLoads() {
				if l.GetName() == "orders" {
					intended = l.GetIntended()
				}
			}
			return intended >= 60*ordersRate, err
		})
		if err != nil {
			b.Fatal(err)
		}
		if last, err = loads.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: "orders"}); err != nil {
			b.Fatal(err)
		}
	}
	if last.GetOk()*100 < last.GetIntended()*95 { // what refused calls took says nothing of orders
		b.Fatalf("of %d orders that were due %d were confirmed; errors %v", last.GetIntended(), last.GetOk(), last.GetErrors())
	}
	latency, err := hdr.Decode(last.GetLatencyHistogram())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(latency.ValueAtQuantile(50))/1e3, "p50-ms")
	b.ReportMetric(float64(latency.ValueAtQuantile(99))/1e3, "p99-ms")
	b.ReportMetric(float64(last.GetOk()), "ok")
	for _, service := range []string{"loadgen", "orderservice", "userservice", "inventoryservice", "paymentservice"} {
		query := fmt.Sprintf(`sum(rate(process_cpu_seconds_total{service=%q}[50s]))`, service)
		cpu, err := metrics.Value(ctx, query)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(cpu/ordersRate*1e6, service+"-µs/order")
	}
	b.ReportMetric(0, "ns/op")
}
