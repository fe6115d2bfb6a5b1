package governance

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// twoConnections are to one callee and report to the same metrics. The first one fails, until its breakers open and its budget is empty.
type twoConnections struct {
	t       *testing.T
	metrics *Metrics
	fails   bool
	conns   [2]*grpc.ClientConn
}

func newTwoConnections(t *testing.T) *twoConnections {
	c := &twoConnections{t: t, metrics: NewMetrics(), fails: true}
	pipe := bufconn.Listen(1 << 20)
	s := Server(ServerConfig{Log: quiet})
	testv1.RegisterTestServiceServer(s, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		if c.fails {
			return nil, status.Error(codes.Unavailable, "down")
		}
		return &testv1.SimpleResponse{}, nil
	}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	t.Cleanup(func() {
		s.Stop()
		must(t, <-served)
	})
	const text = "{retry: {idempotent: true, maxAttempts: 2, initialBackoff: 1ms}, breaker: {minCalls: 10}}, {shadow: true, breaker: {minCalls: 5}}"
	for i := range c.conns {
		conn, err := Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Policy: policyOf(t, "client: ["+text+"]"), Metrics: c.metrics, Log: quiet,
			Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })}})
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		c.conns[i] = conn
	}
	for range 10 {
		_ = c.call(0)
	}
	c.fails = false
	must(t, c.call(1))
	return c
}

func (c *twoConnections) call(i int) error {
	_, err := testv1.NewTestServiceClient(c.conns[i]).UnaryCall(c.t.Context(), &testv1.SimpleRequest{})
	return err
}

func (c *twoConnections) shows(state, tokens float64) bool {
	return metric(c.t, c.metrics, "sandbox_breaker_state") == state && metric(c.t, c.metrics, shadowStates) == state &&
		metric(c.t, c.metrics, "sandbox_retry_budget_tokens") == tokens
}

func TestMetrics_TwoConnectionsToOneCallee(t *testing.T) {
	c := newTwoConnections(t)
	if c.call(0) == nil || !c.shows(1, 0) {
		t.Errorf("the breaker of a connection is open: state %v, in shadow mode %v, %v tokens", metric(t, c.metrics, "sandbox_breaker_state"),
			metric(t, c.metrics, shadowStates), metric(t, c.metrics, "sandbox_retry_budget_tokens"))
	}
}

// What a closed connection has left behind must not be taken for the state of those that are open.
func TestMetrics_ConnectionClosed(t *testing.T) {
	c := newTwoConnections(t)
	must(t, c.conns[0].Close())
	eventually(t, "the other connection's breakers are closed and its budget is full", func() bool { return c.shows(0, 10) })
}

// The last values of the only connection stay, also while it is idle.
func TestMetrics_LastConnectionClosed(t *testing.T) {
	c := newTwoConnections(t)
	must(t, c.conns[1].Close())
	must(t, c.conns[0].Close())
	if !c.shows(1, 0) {
		t.Error("the last values are gone")
	}
}

// An idle connection does not count, and counts again with what it knows when it is used.
func TestMetrics_ConnectionUsedAgain(t *testing.T) {
	metrics := NewMetrics()
	var idle, busy *client
	for _, c := range []**client{&idle, &busy} {
		*c = newClient(ClientConfig{Callee: "callee", Metrics: metrics, Policy: policyOf(t, "client: [{breaker: {minCalls: 3}}]"), Log: quiet}.withDefaults())
		(*c).budget.opened()
		(*c).cfg.Breakers.opened()
	}
	shows := func(when string, state, tokens float64) {
		t.Helper()
		if s, b := metric(t, metrics, "sandbox_breaker_state"), metric(t, metrics, "sandbox_retry_budget_tokens"); s != state || b != tokens {
			t.Errorf("%s: state %v and %v tokens, want %v and %v", when, s, b, state, tokens)
		}
	}
	must(t, (&calling{client: busy, method: "s.S/M", callee: fine}).unary(t.Context()))
	for range 3 {
		_ = (&calling{client: idle, method: "s.S/M", callee: isDown}).unary(t.Context())
		idle.budget.failed()
	}
	shows("both are used", 1, 7)
	idle.budget.closed()
	idle.cfg.Breakers.closed()
	shows("one is idle", 0, 10)
	// A call that was in flight ends.
	idle.budget.failed()
	shows("an idle connection changes", 0, 10)
	idle.budget.opened()
	idle.cfg.Breakers.opened()
	shows("it is used again", 1, 6)
}
