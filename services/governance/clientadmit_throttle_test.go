package governance

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// throttleRig calls a callee that fails a share of the calls that are sent.
type throttleRig struct {
	*rig
	client *client
	// fails says whether the nth call that is sent fails.
	fails func(n int) error
	sent  int
}

func newThrottleRig(t *testing.T, text string, fails func(n int) error) *throttleRig {
	r := &throttleRig{rig: newRig(t), fails: fails}
	r.client = newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, text), Breakers: r.breakers, Metrics: r.metrics}.withDefaults())
	return r
}

func (r *throttleRig) call() error {
	return r.client.unary(r.t.Context(), "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		r.sent++
		return r.fails(r.sent)
	})
}

// throttled makes calls, one every millisecond, and returns how many were throttled.
func (r *throttleRig) throttled(calls int) (n float64) {
	r.t.Helper()
	for range calls {
		time.Sleep(time.Millisecond)
		if err := r.call(); refusal.Reason(err) == refusal.ReasonThrottled {
			if status.Code(err) != codes.ResourceExhausted || !refusal.IsLocal(err) {
				r.t.Errorf("refused with %v, local: %v", err, refusal.IsLocal(err))
			}
			n++
		}
	}
	if got := metric(r.t, r.metrics, "sandbox_throttled_total", "callee", "callee", "method", "s.S/M"); got < n {
		r.t.Errorf("%v throttled calls counted, want %v", got, n)
	}
	return n
}

func always(err error) func(int) error { return func(int) error { return err } }

// threeOfFour fails three of four calls.
func threeOfFour(n int) error {
	if n%4 == 0 {
		return nil
	}
	return errDown
}

func TestThrottle_Share(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		fails            func(int) error
		// least and most is how many of 1000 calls are throttled.
		least, most float64
		state       string
	}{
		{"off by default", "client: [{breaker: {failureRatio: 0.9}}]", threeOfFour, 0, 0, StateClosed},
		{"three of four calls fail", "client: [{throttle: {}}]", threeOfFour, 580, 720, StateClosed},
		{"three of four calls fail, at a higher ratio", "client: [{throttle: {failureRatio: 0.5}}]", threeOfFour, 420, 560, StateClosed},
		{"three of four calls fail, and few are refused", "client: [{throttle: {maxRefusedRatio: 0.1}}]", threeOfFour, 60, 140, StateClosed},
		{"fewer calls than minCalls", "client: [{throttle: {minCalls: 1001}}]", threeOfFour, 0, 0, StateClosed},
		{"removed by a later rule", "client: [{throttle: {}, breaker: {failureRatio: 0.9}}, {method: s.S/M, throttle: {disabled: true}}]", threeOfFour, 0, 0, StateClosed},
		{"every call fails, and the breaker is the last resort", "client: [{throttle: {}}]", always(errDown), 0, 20, StateOpen},
		{"every call fails, without a breaker", "client: [{throttle: {}, breaker: {disabled: true}}]", always(errDown), 800, 930, StateClosed},
		{"the breaker has a ratio of its own", "client: [{throttle: {}, breaker: {failureRatio: 0.25}}]", threeOfFour, 0, 20, StateOpen},
		{"errors that are no failures", "client: [{throttle: {}}]", always(status.Error(codes.NotFound, "chosen")), 0, 0, StateClosed},
		{"errors that the policy made failures", "client: [{throttle: {}, classify: {failures: [NOT_FOUND]}, breaker: {disabled: true}}]",
			always(status.Error(codes.NotFound, "chosen")), 800, 930, StateClosed},
		{"errors that the policy ignores", "client: [{throttle: {}, classify: {ignored: [UNAVAILABLE]}}]", always(errDown), 0, 0, StateClosed},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newThrottleRig(t, c.policy, c.fails)
				got := r.throttled(1000)
				if got < c.least || got > c.most {
					t.Errorf("%v of 1000 calls are throttled, want %v to %v", got, c.least, c.most)
				}
				if state := r.breakers.Snapshot()[0].State; state != c.state {
					t.Errorf("the breaker is %s, want %s", state, c.state)
				}
				// Refused calls do not count for the breaker.
				if ok, failed := r.breakers.of(edge{"callee", "s.S/M"}).Counts(); int(ok+failed) > r.sent {
					t.Errorf("the breaker counts %d calls, of which %d were sent", ok+failed, r.sent)
				}
			})
		})
	}
}

// TestThrottle_Recovers checks that calls are sent again when the callee answers again, and that a change of the policy keeps what was counted.
func TestThrottle_Recovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "client: [{throttle: {}, breaker: {disabled: true}}]"
		r := newThrottleRig(t, text, always(errDown))
		r.throttled(1000)
		change(t, r.client.cfg.Policy, "version: other\n"+text)
		if got := r.throttled(20); got < 10 {
			t.Errorf("%v of 20 calls are throttled after a change of the policy", got)
		}
		change(t, r.client.cfg.Policy, "client: [{throttle: {disabled: true}, breaker: {disabled: true}}]")
		if got := r.throttled(100); got != 0 {
			t.Errorf("%v of 100 calls are throttled without a throttle", got)
		}
		change(t, r.client.cfg.Policy, text)
		r.fails = always(nil)
		r.throttled(30000)
		if got := r.throttled(1000); got != 0 {
			t.Errorf("%v of 1000 calls are throttled 30 s after the outage", got)
		}
	})
}

// TestThrottle_SparesProbes checks that a half-open breaker gets its probes, although nearly all recent calls failed.
func TestThrottle_SparesProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThrottleRig(t, "client: [{throttle: {maxRefusedRatio: 1, window: 1m}, breaker: {open: 1s}}]", always(errDown))
		for range 40 {
			_ = r.call()
		}
		if got := r.breakers.Snapshot()[0].State; got != StateOpen {
			t.Fatalf("the breaker is %s", got)
		}
		time.Sleep(1001 * time.Millisecond)
		r.fails = always(nil)
		for range 5 {
			must(t, r.call())
		}
		if got := r.breakers.Snapshot()[0].State; got != StateClosed {
			t.Errorf("after five probes the breaker is %s", got)
		}
	})
}

// TestThrottle_Streams checks that streams are throttled, and count once: with their first message, or with their end.
func TestThrottle_Streams(t *testing.T) {
	for _, c := range []struct {
		sentence string
		// answers is how many of two streams answer before they fail.
		answers     int64
		least, most float64
	}{{"which fail", 0, 130, 180}, {"of which half fail after an answer", 1, 30, 100}, {"which fail after an answer", 2, 0, 0}} {
		t.Run(c.sentence, func(t *testing.T) {
			metrics := NewMetrics()
			var served atomic.Int64
			client := wire(t, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				if served.Add(1)%2 < c.answers {
					_ = s.Send(&testv1.StreamingOutputCallResponse{})
				}
				return errDown
			}}, ServerConfig{}, ClientConfig{Metrics: metrics, Policy: policyOf(t, "client: [{throttle: {}, breaker: {disabled: true}}]\nconnections: [{outlierEjection: {disabled: true}}]")})
			throttled := 0.0
			for range 200 {
				s, err := client.FullDuplexCall(t.Context())
				for err == nil {
					_, err = s.Recv()
				}
				if refusal.Reason(err) == refusal.ReasonThrottled {
					throttled++
				}
			}
			if throttled < c.least || throttled > c.most {
				t.Errorf("%v of 200 streams are throttled, want %v to %v", throttled, c.least, c.most)
			}
			if got := metric(t, metrics, "sandbox_throttled_total", "method", streamMethod); got != throttled {
				t.Errorf("%v counted, want %v", got, throttled)
			}
		})
	}
}

// TestThrottle_Fallback checks that a call that was refused here has a fallback, even if the policy counts the code as a success of the callee.
func TestThrottle_Fallback(t *testing.T) {
	metrics := NewMetrics()
	client := wire(t, failing(codes.Internal), ServerConfig{}, ClientConfig{Metrics: metrics, Fallbacks: []Fallback{FallbackTo(unaryMethod, cached)},
		Policy: policyOf(t, "client: [{throttle: {}, breaker: {disabled: true}, classify: {successes: [RESOURCE_EXHAUSTED]}}]")})
	for range 100 {
		reply, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		if err != nil || reply.GetUsername() != "from the cache" {
			t.Fatal(reply, err)
		}
	}
	throttled := metric(t, metrics, "sandbox_throttled_total")
	if got := metric(t, metrics, "sandbox_fallbacks_total", "code", "RESOURCE_EXHAUSTED"); got == 0 || got != throttled {
		t.Errorf("%v of %v throttled calls were answered by the fallback", got, throttled)
	}
}
