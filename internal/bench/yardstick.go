package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthsrv "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"
)

// Yardstick returns how long a unary call of bare grpc-go in memory takes on this machine: the fastest of several rounds, because the others were
// disturbed. Tables of different machines are compared by it.
func Yardstick(ctx context.Context) (time.Duration, error) {
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

// YardstickLine is the sentence about the speed of the machine that follows a table. It is also a metric of the benchmark.
func YardstickLine(b *testing.B) string {
	b.Helper()
	took, err := Yardstick(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	micros := float64(took.Nanoseconds()) / 1e3
	b.ReportMetric(micros, "bare-call-µs")
	return fmt.Sprintf("The speed of the machine: a unary call of bare grpc-go in memory took %.1f µs in the same run.\n", micros)
}
