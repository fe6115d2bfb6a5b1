package governance

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// Reproduces: a callee that reports NOT_SERVING still gets calls, because the service config has no healthCheckConfig. Callers notice only
// through DNS.
func TestBalancer_NotServingReplica(t *testing.T) {
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	client := wire(t, fake{}, ServerConfig{Health: h}, ClientConfig{})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if err == nil {
		t.Error("a server that reports NOT_SERVING got a call")
	}
}

// Reproduces: a call that succeeded after a retry counts as failed if the back-off made it longer than the method's time-out.
func TestBreaker_RetriedSuccess(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Breakers: breakers, Timeout: 100 * time.Millisecond, Policy: policyOf(t,
		"client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 2, initialBackoff: 200ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]")})
	for range 20 {
		f.fails.Store(1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := client.UnaryCall(ctx, &testv1.SimpleRequest{})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log("20 of 20 calls succeeded (by their retry); the breaker:", breakers.Snapshot()[0].State, breakers.Snapshot()[0].Reason)
	if breakers.Snapshot()[0].State != StateClosed {
		t.Error("successes opened the breaker")
	}
}

// What the zero value of Config does.
func TestConfig_ZeroValue(t *testing.T) {
	knownfailures.Measure(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, io.Discard, Config{Service: "x"}, func(*Process, *grpc.Server) error { return nil })
	t.Log("Config{Service}:", err)
	cfg := Config{Service: "x", TLSDir: "off"}
	cfg.Ready = func(a Addresses) {
		t.Logf("Config{Service, TLSDir: off} listens on %+v; DrainLimit %s, MaxConcurrent %d, TraceRatio %v", a, cfg.DrainLimit, cfg.MaxConcurrent, cfg.TraceRatio)
		cancel()
	}
	t.Log(Run(ctx, io.Discard, cfg, func(*Process, *grpc.Server) error { return nil }))
}
