//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

func TestJaeger_TraceHasCallerAndCallee(t *testing.T) {
	feature(t, "a trace from loadgen to userservice", func(ctx context.Context, t *testing.T) {
		jaeger := observe.NewJaeger(charts.TraceStore, "http://"+forward(ctx, t, connect(t), charts.SystemNamespace, charts.TraceStore, 16686), http.DefaultClient)
		begun := time.Now()
		var seen []observe.Trace
		err := pause.UntilWithin(ctx, time.Second, time.Minute, func(ctx context.Context) (bool, error) {
			var err error
			seen, err = jaeger.Traces(ctx, "userservice", begun.Add(-time.Minute), 20)
			return err == nil && hasCall(seen, "loadgen", "userservice"), nil
		})
		if err != nil {
			t.Fatalf("no trace has a span of userservice below one of loadgen: %+v", seen)
		}
	})
}

// hasCall reports whether a span of callee has a parent of caller.
func hasCall(traces []observe.Trace, caller, callee string) bool {
	for _, trace := range traces {
		service := map[string]string{}
		for _, s := range trace.Spans {
			service[s.ID] = s.Service
		}
		for _, s := range trace.Spans {
			if s.Service == callee && service[s.ParentID] == caller {
				return true
			}
		}
	}
	return false
}

func TestPrometheus_AgreesWithTheLoadGenerator(t *testing.T) {
	feature(t, "call rate within 2 %", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		metrics := prometheus(ctx, t, c)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		_, before := answered(ctx, t, loads, 0)
		_, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: "counted", Target: "userservice",
			Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-2"}`, Rate: 100, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := loads.StopLoad(context.WithoutCancel(ctx), &loadgenv1.StopLoadRequest{Name: "counted"}); err != nil {
				t.Error(err)
			}
		}()
		// After 500 calls Prometheus has scraped the new load a few times.
		begun, first := answered(ctx, t, loads, before+500)
		ended, last := answered(ctx, t, loads, first+3000)
		window := ended.Sub(begun)
		got, err := metrics.Value(ctx, fmt.Sprintf(`sum(rate(grpc_client_handled_total{service="loadgen",grpc_method="GetUser"}[%dms]))`, window.Milliseconds()))
		if err != nil {
			t.Fatal(err)
		}
		want := float64(last-first) / window.Seconds()
		t.Logf("over %s: Prometheus %.2f/s, loadgen's own count %.2f/s", window, got, want)
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("Prometheus reports %.2f/s, the load generator counted %.2f/s", got, want)
		}
	})
}

// answered waits until the load generator has at least n answers of userservice, and returns when that was and how many there were.
func answered(ctx context.Context, t *testing.T, loads loadgenv1.LoadGeneratorClient, n int64) (time.Time, int64) {
	t.Helper()
	var ok int64
	err := pause.UntilWithin(ctx, 50*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		all, err := loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{})
		ok = 0
		for _, l := range all.GetLoads() {
			if l.GetTarget() == "userservice" {
				ok += l.GetOk()
			}
		}
		return ok >= n, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return time.Now(), ok
}

// TestPrometheus_NativeHistograms checks that native histograms are scraped: a quantile of classic ones is only as accurate as their buckets.
func TestPrometheus_NativeHistograms(t *testing.T) {
	feature(t, "p99 from both kinds of histograms", func(ctx context.Context, t *testing.T) {
		metrics := prometheus(ctx, t, connect(t))
		for _, query := range []string{
			`histogram_quantile(0.99, sum(rate(grpc_client_handling_seconds[1m])))`,
			`histogram_quantile(0.99, sum by (le) (rate(grpc_client_handling_seconds_bucket[1m])))`,
		} {
			await(ctx, t, "an answer to "+query, func(ctx context.Context) (bool, error) {
				got, err := metrics.Value(ctx, query)
				return err == nil && got > 0 && got < 10, nil
			})
		}
	})
}
