package governance

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Reproduces: a callee that reports NOT_SERVING still gets calls, because the service config has no healthCheckConfig. Callers notice only
// through DNS.
func TestBalancer_NotServingReplica(t *testing.T) {
	knownfailures.Listed(t)
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
	knownfailures.Listed(t)
	f := &flaky{code: codes.Unavailable}
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Breakers: breakers, Policy: policyOf(t,
		"client: [{method: '*/*', deadline: {timeout: 100ms}, retry: {idempotent: true, maxAttempts: 2, initialBackoff: 200ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]")})
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

// Reproduces: metrics and events do not report a policy that is set in a Process, as by a control plane.
func TestPolicy_PushedIntoProcess(t *testing.T) {
	knownfailures.Listed(t)
	var process *Process
	at, stop, ended := program(t, func(c *Config) { c.DrainDelay = 0 }, func(p *Process, s *grpc.Server) error {
		process = p
		testv1.RegisterTestServiceServer(s, fake{})
		return nil
	})
	must(t, process.Policy.Set(&policyv1.EffectivePolicy{Version: "pushed-7", Server: []*policyv1.ServerRule{{Method: "no.Such/Method", Bulkhead: &policyv1.Bulkhead{MaxConcurrent: 1}}}}))
	answer, err := http.Get("http://" + at.Metrics + "/metrics")
	must(t, err)
	text, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	events, _, _ := process.Events.After(0)
	t.Logf("in force %q; metrics name it: %v; sandbox_policy_reloads 1: %v; unmatched pattern counted: %v; events: %d (serving)", process.Policy.Version(),
		strings.Contains(string(text), "pushed-7"), strings.Contains(string(text), "sandbox_policy_reloads_total 1"), strings.Contains(string(text), "sandbox_policy_unmatched_patterns 1"), len(events))
	if !strings.Contains(string(text), "pushed-7") {
		t.Error("sandbox_policy_info does not name the policy in force")
	}
	stop()
	<-ended //nolint:errcheck // the test is not about the result of Run
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

// Reproduces: with one Breakers and two connections to one callee under two policies (two Policy values, as in tests and multi-tenant
// programs), each call configures the breaker again, and "disabled" in one policy closes what failures under the other opened.
func TestBreaker_TwoPolicies(t *testing.T) {
	knownfailures.Listed(t)
	f := &flaky{code: codes.Unavailable}
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	strict := wire(t, f.fake(), ServerConfig{}, ClientConfig{Breakers: breakers, Policy: policyOf(t, "client: [{breaker: {minCalls: 5}}]")})
	off := wire(t, f.fake(), ServerConfig{}, ClientConfig{Breakers: breakers, Policy: policyOf(t, "client: [{breaker: {disabled: true}}]")})
	f.fails.Store(1000)
	for range 6 {
		_, _ = strict.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	before := breakers.Snapshot()[0].State
	_, _ = off.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	t.Logf("%s, then %s (%s)", before, breakers.Snapshot()[0].State, breakers.Snapshot()[0].Reason)
	if before == StateOpen && breakers.Snapshot()[0].State == StateClosed {
		t.Error("the policy of one connection closed the breaker of another")
	}
}
