package governance

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// TestBreaker_SlowCallRatio makes 20 calls of 300 ms, which all succeed.
func TestBreaker_SlowCallRatio(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		slow             float64
		state, reason    string
	}{
		{"the default", "", 0, StateClosed, ""},
		{"slower than the limit", "client: [{breaker: {slowCallRatio: 0.5, slowCallDuration: 200ms}}]", 20, StateOpen, "100.0% of 20 calls took longer than 200ms"},
		{"within the limit", "client: [{breaker: {slowCallRatio: 0.5, slowCallDuration: 400ms}}]", 0, StateClosed, ""},
		{"switched off by 0", "client: [{breaker: {slowCallRatio: 0, slowCallDuration: 200ms}}]", 0, StateClosed, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				client := newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, c.policy), Breakers: r.breakers, Metrics: r.metrics}.withDefaults())
				call := func() error {
					return client.unary(t.Context(), "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
						time.Sleep(300 * time.Millisecond)
						return nil
					})
				}
				for range 20 {
					must(t, call())
				}
				r.state(c.state, c.reason)
				if got := metric(t, r.metrics, "sandbox_breaker_slow_calls_total", "callee", "callee", "method", "s.S/M"); got != c.slow {
					t.Errorf("%v slow calls counted, want %v", got, c.slow)
				}
				if got := metric(t, r.metrics, "sandbox_breaker_transitions_total", "to", StateOpen, "reason", "slow_call_ratio"); (got == 1) != (c.state == StateOpen) {
					t.Errorf("%v transitions with the reason slow_call_ratio", got)
				}
				if err := call(); (refusal.Reason(err) == refusal.ReasonBreakerOpen) != (c.state == StateOpen) {
					t.Errorf("the next call gets %v", err)
				}
			})
		})
	}
}

const slowLimited = "client: [{breaker: {minCalls: 1, failureRatio: 1, slowCallRatio: 0.2, slowCallDuration: 200ms}"

// TestBreaker_SlowCallsSayNothing checks which long times do not count: those of streams and of earlier attempts.
func TestBreaker_SlowCallsSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{code: codes.Unavailable}
		f.fails.Store(1)
		metrics := NewMetrics()
		client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			return f.fake().UnaryCall(t.Context(), nil)
		}, stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
			return pause.For(s.Context(), time.Second)
		}}, ServerConfig{}, ClientConfig{Metrics: metrics, Policy: policyOf(t, slowLimited+", retry: {idempotent: true, maxAttempts: 2, initialBackoff: 500ms}}]")})
		if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil || f.served.Load() != 2 {
			t.Fatalf("%v after %d attempts", err, f.served.Load())
		}
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		if _, err := s.Recv(); endOf(err) != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := metric(t, metrics, "sandbox_breaker_slow_calls_total"); got != 0 {
			t.Errorf("%v slow calls counted", got)
		}
		if got := metric(t, metrics, "sandbox_breaker_transitions_total"); got != 0 {
			t.Errorf("%v transitions", got)
		}
	})
}

// TestBreaker_SlowCallsOfAnEjectedReplica checks that slow answers of a replica leave the breaker when the replica is ejected, and that those which
// come later do not count.
func TestBreaker_SlowCallsOfAnEjectedReplica(t *testing.T) {
	const good, slow, failing, allSlow = 0, 1, 2, 3
	synctest.Test(t, func(t *testing.T) {
		var phase atomic.Int32
		callee := newReplicated(t, 2, func(ctx context.Context, i int) error {
			switch now := phase.Load(); {
			case now == slow && i == 1, now == allSlow:
				return pause.For(ctx, 300*time.Millisecond)
			case now == failing && i == 1:
				return errDown
			}
			return nil
		})
		metrics := NewMetrics()
		client := callee.dial(t, ClientConfig{Metrics: metrics,
			Policy: policyOf(t, "client: [{breaker: {failureRatio: 0.9, slowCallRatio: 0.1, slowCallDuration: 200ms}}]")})
		begin := func(during int32, n int) (wait func()) {
			phase.Store(during)
			var calls sync.WaitGroup
			for range n {
				calls.Go(func() { _, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{}) })
			}
			// The replicas have the calls.
			synctest.Wait()
			return calls.Wait
		}
		begin(good, 10)()
		begin(slow, 8)()
		late := begin(slow, 2)
		begin(failing, 12)()
		if got := metric(t, metrics, "sandbox_outlier_ejected"); got != 1 {
			t.Fatalf("%v replicas are ejected, want 1", got)
		}
		late()
		if got := metric(t, metrics, "sandbox_breaker_slow_calls_total"); got != 4 {
			t.Errorf("%v slow calls counted, want the 4 before the ejection", got)
		}
		// One slow call of the other replica is less than a tenth of all calls. With those of the ejected one it would be more.
		begin(allSlow, 1)()
		if got := metric(t, metrics, "sandbox_breaker_transitions_total"); got != 0 {
			t.Errorf("the breaker changed its state %v times", got)
		}
	})
}
