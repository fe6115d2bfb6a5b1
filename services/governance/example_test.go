package governance_test

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// A complete program: read the environment, register services, and serve until the context ends.
func ExampleRun() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	env := map[string]string{"TLS_DIR": "off", "LISTEN_ADDR": "127.0.0.1:0", "HEALTH_ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:0",
		"LOG_LEVEL": "error", "DRAIN_DELAY": "0s"}
	cfg, err := governance.ConfigFromEnv("greeter", func(key string) string { return env[key] })
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Ready = func(at governance.Addresses) {
		defer stop()
		conn, err := grpc.NewClient(at.Health, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			fmt.Println(err)
			return
		}
		defer conn.Close()
		answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		fmt.Println(answer.GetStatus(), err)
	}
	err = governance.Run(ctx, os.Stderr, cfg, func(p *governance.Process, s *grpc.Server) error {
		// greeterv1.RegisterGreeterServer(s, greeter{})
		_, err := p.Dial("dns:///userservice-headless.shop.svc:8443", "userservice")
		return err
	})
	fmt.Println(err)
	// Output:
	// SERVING <nil>
	// <nil>
}

// A program that only calls others. It has nothing to remember: certificate and policy are followed, and every connection has breakers.
func ExampleStart() {
	ctx := context.Background()
	p, err := governance.Start(ctx, os.Stderr, governance.Config{Service: "nightly-report", TLSDir: "off"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	conn, err := p.Dial("dns:///127.0.0.1:1", "userservice")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	fmt.Println(status.Code(err))
	// Output: Unavailable
}

// A connection whose calls have a deadline, metrics and a breaker.
func ExampleDial() {
	metrics, events := governance.NewMetrics(), governance.NewEvents(0)
	conn, err := governance.Dial("dns:///userservice-headless.shop.svc:8443", governance.ClientConfig{
		Callee:   "userservice",
		Metrics:  metrics,
		Breakers: governance.NewBreakers("orderservice", governance.BreakerConfig{MaxConcurrent: 50}, metrics, events),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.Target())
	// Output: dns:///userservice-headless.shop.svc:8443
}
