//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/internal/bench"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// ordersRate is the number of orders per second that BenchmarkCreateOrder places.
const ordersRate = 100

// BenchmarkCreateOrder places orders at a steady rate for a minute per iteration. It measures the latency from the intended start and the CPU time
// that the pods of each release use per order, in addition to what they use when idle. It runs on the cluster of the tests.
func BenchmarkCreateOrder(b *testing.B) {
	ctx, c := b.Context(), connect(b)
	loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, b, c, "loadgen"))
	releases := []string{"loadgen", "orderservice", "userservice", "inventoryservice", "paymentservice", "postgres", "jaeger", "prometheus"}
	var last *loadgenv1.LoadStats
	var atRest, selling map[string]float64
	for b.Loop() {
		var err error
		if atRest, err = processorShares(ctx, c, 20*time.Second, releases...); err != nil {
			b.Fatal(err)
		}
		_, err = loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: "orders", Target: "orderservice", Method: "order.v1.OrderService/CreateOrder",
			RequestJson: `{"userId":"u-{{ n 1 1000 }}","lines":[{"sku":"sku-{{ n 1 99 }}","quantity":1}]}`, Rate: ordersRate, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		if selling, err = processorShares(ctx, c, time.Minute, releases...); err != nil {
			b.Fatal(err)
		}
		if last, err = loads.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: "orders"}); err != nil {
			b.Fatal(err)
		}
	}
	// The latency of refused calls is not that of orders.
	if last.GetOk()*100 < last.GetIntended()*95 {
		b.Fatalf("of %d intended orders %d were confirmed; errors %v", last.GetIntended(), last.GetOk(), last.GetErrors())
	}
	b.Logf("%d of %d orders confirmed; errors %v", last.GetOk(), last.GetIntended(), last.GetErrors())
	latency, err := hdr.Decode(last.GetLatencyHistogram())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(latency.ValueAtQuantile(50))/1e3, "p50-ms")
	b.ReportMetric(float64(latency.ValueAtQuantile(99))/1e3, "p99-ms")
	b.ReportMetric(float64(last.GetOk())/float64(last.GetIntended())*100, "ok-%")
	for _, r := range releases {
		b.ReportMetric((selling[r]-atRest[r])/ordersRate*1e6, r+"-µs/order")
	}
	b.ReportMetric(0, "ns/op")
	table := fmt.Sprintf("| confirmed | p50 | p99 |\n|---|---|---|\n| %d of %d | %.1f ms | %.1f ms |\n\n", last.GetOk(), last.GetIntended(),
		float64(latency.ValueAtQuantile(50))/1e3, float64(latency.ValueAtQuantile(99))/1e3) + processorTable(releases, selling, atRest)
	if err := bench.Write("../../services/README.md", "orders", "orders", table); err != nil {
		b.Fatal(err)
	}
}

func processorTable(releases []string, selling, atRest map[string]float64) string {
	table, sum := "| release | processor time for an order |\n|---|---|\n", 0.0
	for _, r := range releases {
		each := (selling[r] - atRest[r]) / ordersRate * 1e3
		sum += each
		table += fmt.Sprintf("| %s | %.2f ms |\n", r, each)
	}
	return table + fmt.Sprintf("| all | %.2f ms |\n", sum)
}
