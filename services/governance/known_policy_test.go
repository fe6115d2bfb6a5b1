package governance

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// Reproduces: the gauge should repeat the accounting of grpc-go, but grpc-go's budget belongs to the connection: successes of methods WITHOUT
// retries refill it too.
func TestRetryBudget_GaugeAgreesWithGRPC(t *testing.T) {
	knownfailures.Listed(t)
	metrics := NewMetrics()
	f := &flaky{code: codes.Unavailable}
	p := policyOf(t, strings.ReplaceAll(retried, "TestService/*", "TestService/UnaryCall")+"\nconnections: [{retryBudget: {maxTokens: 10, tokenRatio: 1}}]")
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: p, Breakers: neverOpen()})
	f.fails.Store(1000)
	for range 20 {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	spent := metric(t, metrics, "sandbox_retry_budget_tokens")
	f.fails.Store(0)
	// Another method, which has no retries.
	for range 20 {
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		_, _ = s.Recv()
	}
	var shown float64
	pollFor(20*time.Millisecond, func() bool {
		shown = metric(t, metrics, "sandbox_retry_budget_tokens")
		return shown > 5
	})
	f.served.Store(0)
	f.fails.Store(1)
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	t.Logf("spent: %v; after 20 successes of a method without retries the gauge shows %v (at most half: no retries), and grpc-go made %d attempts (%v)", spent, shown, f.served.Load(), err)
	if shown <= 5 && f.served.Load() > 1 {
		t.Error("the gauge indicates no retries, but there are retries")
	}
}

// Reproduces: each call of a caller that is not on the list is a line in the log, so a client can fill the log.
func TestLog_RefusedCallers(t *testing.T) {
	knownfailures.Listed(t)
	var log bytes.Buffer
	p := policyOf(t, "server: [{callers: {allow: ['x']}}]")
	s := newServer(ServerConfig{Policy: p, Log: NewLog(&log, nil)}.withDefaults())
	serve := &serving{t: t, policy: p, server: s}
	for range 1000 {
		_ = serve.call(t.Context(), false, "a.B/C", fine)
	}
	failing := newServer(ServerConfig{Log: NewLog(&log, nil)}.withDefaults())
	refused := strings.Count(log.String(), "\n")
	log.Reset()
	serve = &serving{t: t, server: failing}
	for range 1000 {
		_ = serve.call(t.Context(), false, "a.B/C", func(context.Context) error { return status.Error(codes.Unavailable, "the database is unavailable") })
	}
	t.Logf("1000 refused callers: %d lines; 1000 failures: %d lines", refused, strings.Count(log.String(), "\n"))
	if refused >= 1000 {
		t.Error("each refused call is a line in the log")
	}
}
