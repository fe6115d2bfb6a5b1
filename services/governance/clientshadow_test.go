package governance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestShadow_Breaker(t *testing.T) {
	for _, c := range []struct {
		sentence, text string
		calls, sent    int
		reason         string
		would          float64
		state          string
	}{
		{"opens, and refuses no call", "client: [{breaker: {disabled: true}}, {shadow: true, breaker: {minCalls: 3}}]", 10, 10, refusal.ReasonBreakerOpen, 7, StateClosed},
		{"opens before the enforced one", "client: [{breaker: {minCalls: 5}}, {shadow: true, breaker: {minCalls: 3}}]", 10, 5, refusal.ReasonBreakerOpen, 7, StateOpen},
		{"would not open, while the enforced one does", "client: [{breaker: {minCalls: 3}}, {shadow: true, breaker: {minCalls: 5}}]", 10, 3, refusal.ReasonBreakerOpen, 0, StateOpen},
		{"the default is enforced next to it", "client: [{shadow: true, breaker: {minCalls: 3}}]", 30, 20, refusal.ReasonBreakerOpen, 27, StateOpen},
		{"a throttle in front of no breaker", "client: [{breaker: {disabled: true}}, {shadow: true, throttle: {minCalls: 4, maxRefusedRatio: 1}}]", 10, 10, refusal.ReasonThrottled, 6, StateClosed},
		{"a throttle in front of a breaker", "client: [{breaker: {disabled: true}}, {shadow: true, throttle: {minCalls: 4, maxRefusedRatio: 1}, breaker: {minCalls: 5}}]", 10, 10, refusal.ReasonThrottled, 6, StateClosed},
		{"another callee", "client: [{breaker: {disabled: true}}, {shadow: true, callee: other, breaker: {minCalls: 3}}]", 10, 10, refusal.ReasonBreakerOpen, 0, StateClosed},
		{"a share", "client: [{breaker: {disabled: true}}, {shadow: true, percent: 6, breaker: {minCalls: 3}}]", 10, 10, refusal.ReasonBreakerOpen, 7, StateClosed},
		{"another share", "client: [{breaker: {disabled: true}}, {shadow: true, percent: 5, breaker: {minCalls: 3}}]", 10, 10, refusal.ReasonBreakerOpen, 0, StateClosed},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newThrottleRig(t, c.text, always(errDown))
				r.client.cfg.random = in
				for range c.calls {
					_ = r.call()
				}
				if got := would(t, r.metrics, "client", c.reason); r.sent != c.sent || got != c.would {
					t.Errorf("%d of %d calls were sent, want %d; %v would have been refused, want %v", r.sent, c.calls, c.sent, got, c.would)
				}
				all := r.breakers.Snapshot()
				if len(all) != 1 || all[0].State != c.state || metric(t, r.metrics, "sandbox_throttled_total") != 0 || metric(t, r.metrics, "sandbox_breaker_rejected_total") != float64(c.calls-c.sent) {
					t.Errorf("the enforced breaker is %+v", all)
				}
			})
		})
	}
}

// TestShadow_BreakerRecovers checks that probes of a breaker in shadow mode are calls as they are.
func TestShadow_BreakerRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThrottleRig(t, "client: [{breaker: {disabled: true}}, {shadow: true, breaker: {minCalls: 3, open: 1s, probes: 2}}]", func(n int) error {
			if n <= 3 {
				return errDown
			}
			return nil
		})
		for range 5 {
			_ = r.call()
		}
		time.Sleep(1001 * time.Millisecond)
		for range 5 {
			must(t, r.call())
		}
		if got := would(t, r.metrics, "client", refusal.ReasonBreakerOpen); got != 2 {
			t.Errorf("%v would have been refused, want 2", got)
		}
	})
}

func TestShadow_ConcurrencyOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThrottleRig(t, "client: [{breaker: {maxConcurrent: 2}}, {shadow: true, breaker: {maxConcurrent: 1}}]", nil)
		call := func(within func() error) error {
			return r.client.unary(t.Context(), "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return within() })
		}
		none := func() error { return nil }
		for i := range 3 {
			err := call(func() error { return call(func() error { return call(none) }) })
			if refusal.Reason(err) != refusal.ReasonTooManyCalls {
				t.Errorf("the third call: %v", err)
			}
			// Each call has given its place back.
			if got := would(t, r.metrics, "client", refusal.ReasonTooManyCalls); got != float64(2*(i+1)) {
				t.Errorf("%v would have been refused, want %d", got, 2*(i+1))
			}
		}
		change(t, r.client.cfg.Policy, "client: [{breaker: {maxConcurrent: 1}}, {shadow: true, breaker: {maxConcurrent: 2}}]")
		for range 3 {
			if err := call(func() error { return call(none) }); refusal.Reason(err) != refusal.ReasonTooManyCalls {
				t.Errorf("the second call: %v", err)
			}
		}
		if got := would(t, r.metrics, "client", refusal.ReasonTooManyCalls); got != 6 {
			t.Errorf("%v would have been refused: a call that the enforced limit has refused keeps its place", got)
		}
	})
}

func TestShadow_DeadlineOfTheClient(t *testing.T) {
	for _, c := range []struct {
		sentence, text string
		given, took    time.Duration
		would, opened  float64
	}{
		{"a slow call", "client: [{shadow: true, deadline: {timeout: 200ms}}]", 0, 300 * time.Millisecond, 1, 0},
		{"a fast call", "client: [{shadow: true, deadline: {timeout: 200ms}}]", 0, 100 * time.Millisecond, 0, 0},
		{"the enforced deadline is earlier", "client: [{deadline: {timeout: 200ms}}, {shadow: true, deadline: {timeout: 200ms}}]", 0, 300 * time.Millisecond, 0, 0},
		{"the caller's deadline is earlier", "client: [{shadow: true, deadline: {timeout: 200ms}}]", 100 * time.Millisecond, 300 * time.Millisecond, 0, 0},
		{"it counts for a breaker in shadow mode", "client: [{shadow: true, deadline: {timeout: 200ms}, breaker: {minCalls: 1}}]", 0, 300 * time.Millisecond, 1, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newThrottleRig(t, c.text, nil)
				for range 2 {
					ctx, cancel := context.WithCancel(t.Context())
					if c.given > 0 {
						ctx, cancel = context.WithTimeout(ctx, c.given)
					}
					took := c.took
					must(t, r.client.unary(ctx, "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
						time.Sleep(took)
						return nil
					}))
					cancel()
					// Only the first call is slow.
					c.took = 0
				}
				if timedOut, opened := would(t, r.metrics, "client", shadowTimeout), would(t, r.metrics, "client", refusal.ReasonBreakerOpen); timedOut != c.would || opened != c.opened {
					t.Errorf("%v would have been ended, and %v refused, want %v and %v", timedOut, opened, c.would, c.opened)
				}
			})
		})
	}
}

// TestShadow_Streams checks that a stream counts once: with its first message, or with its end.
func TestShadow_Streams(t *testing.T) {
	for _, c := range []struct {
		sentence string
		answers  bool
		would    float64
	}{{"which fail", false, 7}, {"which answer", true, 0}} {
		t.Run(c.sentence, func(t *testing.T) {
			metrics := NewMetrics()
			client := wire(t, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				if c.answers {
					return s.Send(&testv1.StreamingOutputCallResponse{})
				}
				return errDown
			}}, ServerConfig{}, ClientConfig{Metrics: metrics, Policy: policyOf(t, "client: [{breaker: {disabled: true}}, {shadow: true, throttle: {minCalls: 20}, breaker: {failureRatio: 0.5, minCalls: 3, maxStreams: 1}}]\nconnections: [{outlierEjection: {disabled: true}}]")})
			for range 10 {
				s, err := client.FullDuplexCall(t.Context())
				for err == nil {
					_, err = s.Recv()
				}
			}
			if got := would(t, metrics, "client", refusal.ReasonBreakerOpen); got != c.would {
				t.Errorf("%v of 10 streams would have been refused, want %v", got, c.would)
			}
			if got := would(t, metrics, "client", refusal.ReasonTooManyCalls); got != 0 {
				t.Errorf("%v of 10 streams, one after the other, would have been too many", got)
			}
		})
	}
}
