package e2e

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthsrv "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"
)

// benchTable collects the limits that a benchmark has missed, so that it fails after its table was written.
type benchTable struct{ missed []string }

// limit returns the text of a limit, which is marked if it was missed.
func (t *benchTable) limit(what string, got, limit float64, unit string) string {
	if got <= limit {
		return fmt.Sprintf("%.0f %s", limit, unit)
	}
	t.missed = append(t.missed, fmt.Sprintf("%s: %.3g %s, the limit is %.0f", what, got, unit, limit))
	return fmt.Sprintf("**%.0f %s, missed**", limit, unit)
}

// row returns a row of the table, and the percentiles in milliseconds.
func (t *benchTable) row(what string, took []time.Duration, limit time.Duration) (row string, p50, p99 float64) {
	took = slices.Sorted(slices.Values(took))
	millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	p50, p99 = millis(took[len(took)/2]), millis(took[len(took)*99/100])
	return fmt.Sprintf("| %s | %.0f ms | %.0f ms | %s |\n", what, p50, p99, t.limit(what, p99, millis(limit), "ms")), p50, p99
}

func TestBenchTable_MissedLimitIsMarked(t *testing.T) {
	var table benchTable
	took := []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond}
	if got, p50, p99 := table.row("fast", took, time.Second); got != "| fast | 2 ms | 3 ms | 1000 ms |\n" || p50 != 2 || p99 != 3 || len(table.missed) != 0 {
		t.Errorf("%q, %v, %v, missed %q", got, p50, p99, table.missed)
	}
	if got, _, _ := table.row("slow", took, time.Millisecond); got != "| slow | 2 ms | 3 ms | **1 ms, missed** |\n" {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(table.missed, "; "); got != "slow: 3 ms, the limit is 1" {
		t.Errorf("missed %q", got)
	}
}

// yardstick returns how long a unary call of bare grpc-go in memory takes on this machine: the fastest of several rounds, because the others were
// disturbed. Tables of different machines are compared by it.
func yardstick(ctx context.Context) (time.Duration, error) {
	const rounds, calls = 10, 1000
	pipe := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, healthsrv.NewServer())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(pipe) }()
	defer func() {
		s.Stop()
		<-ended
	}()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	client := healthv1.NewHealthClient(conn)
	var fastest time.Duration
	for round := range rounds {
		began := time.Now()
		for range calls {
			if _, err := client.Check(ctx, &healthv1.HealthCheckRequest{}); err != nil {
				return 0, err
			}
		}
		if took := time.Since(began) / calls; round == 0 || took < fastest {
			fastest = took
		}
	}
	return fastest, nil
}

// yardstickLine is the sentence about the speed of the machine that follows a table.
func yardstickLine(b *testing.B) string {
	b.Helper()
	took, err := yardstick(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(took.Nanoseconds())/1e3, "bare-call-µs")
	return fmt.Sprintf("The speed of the machine: a unary call of bare grpc-go in memory took %.1f µs in the same run.\n", float64(took.Nanoseconds())/1e3)
}

// BenchmarkYardstick prints the speed of this machine alone.
func BenchmarkYardstick(b *testing.B) {
	for b.Loop() {
		b.Log(yardstickLine(b))
	}
	b.ReportMetric(0, "ns/op")
}
