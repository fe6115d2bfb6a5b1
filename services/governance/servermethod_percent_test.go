package governance

import (
	"context"
	"math"
	"math/rand/v2"
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

// in and out are numbers drawn for calls that are among the first tenth, and that are not.
func in() float64  { return 0.05 }
func out() float64 { return 0.5 }

// admitted makes calls at one moment, and returns how many were admitted.
func (s *serving) admitted(calls int, random func() float64) (n int) {
	s.t.Helper()
	s.server.cfg.random = random
	for range calls {
		if s.call(s.t.Context(), false, "a.B/C", fine) == nil {
			n++
		}
	}
	return n
}

func TestPercent_LimitsCountTheirShare(t *testing.T) {
	const one, three = "{limits: [{tokenBucket: {rate: 1, burst: 1}}]}", "{limits: [{tokenBucket: {rate: 1, burst: 3}}]}"
	for _, c := range []struct {
		sentence, text   string
		inShare, outside int
	}{
		{"a rate of a share", "server: [{percent: 10, rate: " + three + "}]", 3, 10},
		{"a rate of a share, and one of the others", "server: [{rate: " + one + "}, {percent: 10, rate: " + three + "}]", 3, 1},
		{"a rate of every call", "server: [{rate: " + three + "}, {percent: 10, priority: low}]", 3, 0},
		{"a share that the next rule removes", "server: [{percent: 10, rate: " + one + "}, {rate: " + three + "}]", 3, 0},
		{"a rate of all methods", "trials: [{percent: 10, rate: " + three + "}]", 3, 10},
		{"a rate of all methods, and one of the others", "rate: " + one + "\ntrials: [{percent: 10, rate: " + three + "}]", 3, 1},
		{"callers of a share", "server: [{percent: 10, callers: {allow: []}}]", 0, 10},
		{"a deadline of a share", "server: [{percent: 10, deadline: {required: true}}]", 0, 10},
		{"a limit of a share that is no limit", "server: [{rate: " + one + "}, {percent: 10, rate: {}}]", 10, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServing(t, c.text)
				if got := s.admitted(10, in); got != c.inShare {
					t.Errorf("%d of 10 calls of the share are admitted, want %d", got, c.inShare)
				}
				if got := s.admitted(10, out); got != c.outside {
					t.Errorf("%d of 10 other calls are admitted, want %d", got, c.outside)
				}
			})
		})
	}
}

func TestPercent_BulkheadCountsItsShare(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{bulkhead: {maxConcurrent: 2}}, {percent: 10, bulkhead: {maxConcurrent: 1}}]")
		call := func(random func() float64, work func(context.Context) error) error {
			s.server.cfg.random = random
			return s.call(t.Context(), streaming, "a.B/C", work)
		}
		must(t, call(in, func(context.Context) error {
			s.refused(call(in, fine), codes.ResourceExhausted, refusal.ReasonBulkheadFull, 1)
			return call(out, func(context.Context) error {
				return call(out, func(context.Context) error {
					s.refused(call(out, fine), codes.ResourceExhausted, refusal.ReasonBulkheadFull, 2)
					if got := metric(t, s.metrics, "sandbox_bulkhead_in_flight", "method", "a.B/C"); got != 3 {
						t.Errorf("%v in flight, want 3", got)
					}
					return nil
				})
			})
		}))
		if got := metric(t, s.metrics, "sandbox_bulkhead_in_flight"); got != 0 || s.admitted(1, in) != 1 || s.admitted(1, out) != 1 {
			t.Errorf("%v in flight at the end", got)
		}
	})
}

// TestPercent_ShedCountsItsShare also checks that the limit of a share ends with its rule.
func TestPercent_ShedCountsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{priority: high}]\ntrials: [{percent: 10, shed: {minLimit: 1, maxLimit: 1}}]")
		s.server.cfg.random = in
		must(t, s.call(t.Context(), false, "a.B/C", func(ctx context.Context) error {
			if err := s.call(ctx, false, "a.B/C", fine); refusal.Reason(err) != refusal.ReasonOverloaded {
				t.Errorf("the second call of the share: %v", err)
			}
			s.server.cfg.random = out
			return s.call(ctx, false, "a.B/C", fine)
		}))
		if got := metric(t, s.metrics, "sandbox_shed_limit", "group", "a.B/C (10%)"); got != 1 {
			t.Errorf("the limit of the share is %v", got)
		}
		change(t, s.policy, "")
		must(t, s.call(t.Context(), false, "a.B/C", fine))
		if got := metric(t, s.metrics, "sandbox_shed_limit", "group", "a.B/C (10%)"); got != 0 {
			t.Errorf("the limit of a share that has ended is %v", got)
		}
	})
}

func TestPercent_ShareOfRandomCalls(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, percent := range []string{"0", "0.5", "10", "99", "100"} {
		s := newServing(t, "server: [{percent: "+percent+", callers: {allow: []}}]")
		const calls = 20000
		refused := 100 * float64(calls-s.admitted(calls, random.Float64)) / calls
		want := map[string]float64{"0": 0, "0.5": 0.5, "10": 10, "99": 99, "100": 100}[percent]
		if math.Abs(refused-want) > 1 || (want == 0 || want == 100) && refused != want {
			t.Errorf("percent %s: %.2f%% of the calls are refused", percent, refused)
		}
	}
}

// TestPercent_ChangeOfThePolicyKeepsTokens changes another part while a share has used its tokens.
func TestPercent_ChangeOfThePolicyKeepsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "server: [{percent: 10, rate: {limits: [{tokenBucket: {rate: 1, burst: 2}}]}}]"
		s := newServing(t, text)
		if got := s.admitted(5, in); got != 2 {
			t.Fatalf("%d admitted", got)
		}
		change(t, s.policy, "version: other\n"+text)
		if got := s.admitted(5, in); got != 0 {
			t.Errorf("%d admitted after a change of the policy", got)
		}
	})
}

// TestPercent_OneNumberForHeadersAndCall checks that a list of callers and the other parts of its rule apply to the same calls.
func TestPercent_OneNumberForHeadersAndCall(t *testing.T) {
	for _, c := range []struct {
		sentence string
		numbers  []float64
		want     codes.Code
	}{{"a call of the share", []float64{0.4, 0.6}, codes.InvalidArgument}, {"another call", []float64{0.6, 0.4}, codes.OK}} {
		t.Run(c.sentence, func(t *testing.T) {
			var draws atomic.Int64
			conn := called(t, visitor, fake{}, ServerConfig{Log: quiet, random: func() float64 { return c.numbers[draws.Add(1)-1] },
				Policy: policyOf(t, "server: [{method: 'grpc.testing.*/*', percent: 50, callers: {allow: ['"+visitor+"']}, deadline: {required: true}}]")})
			_, err := testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
			if status.Code(err) != c.want || draws.Load() != 1 {
				t.Errorf("got %v after %d draws, want %s after one", err, draws.Load(), c.want)
			}
		})
	}
}

func TestPercent_BreakerCountsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = "s.S/M (10%)"
		r := newThrottleRig(t, "client: [{breaker: {minCalls: 20}}, {percent: 10, breaker: {minCalls: 3}}]", always(errDown))
		calls := func(n int, random func() float64) {
			r.client.cfg.random = random
			for range n {
				_ = r.call()
			}
		}
		state := func(method, want string) {
			t.Helper()
			for _, s := range r.breakers.Snapshot() {
				if s.Method == method && s.State == want && metric(t, r.metrics, "sandbox_breaker_state", "method", method) == stateNumber(want) {
					return
				}
			}
			t.Errorf("%s is not %s: %+v", method, want, r.breakers.Snapshot())
		}
		calls(10, in)
		state(share, StateOpen)
		if r.sent != 3 || metric(t, r.metrics, "sandbox_breaker_rejected_total", "method", share) != 7 {
			t.Errorf("%d of 10 calls were sent", r.sent)
		}
		calls(19, out)
		state("s.S/M", StateClosed)
		if r.sent != 22 {
			t.Errorf("%d calls were sent, want 22", r.sent)
		}
		calls(1, out)
		state("s.S/M", StateOpen)
		// Without its rule, no call would close the breaker of the share.
		change(t, r.client.cfg.Policy, "")
		calls(1, out)
		state(share, StateClosed)
		// With the rule, it works again.
		change(t, r.client.cfg.Policy, "client: [{percent: 10, breaker: {minCalls: 3}}]")
		calls(10, in)
		state(share, StateOpen)
	})
}

func TestPercent_ThrottleCountsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThrottleRig(t, "client: [{breaker: {disabled: true}}, {percent: 10, throttle: {minCalls: 5, maxRefusedRatio: 1}}]", always(errDown))
		// The number is drawn for the share too: 0.05 is below every share that is refused.
		r.client.cfg.random = in
		if got := r.throttled(20); got != 15 {
			t.Errorf("%v of 20 calls of the share are throttled, want 15", got)
		}
		r.client.cfg.random = out
		if got := r.throttled(20); got != 0 {
			t.Errorf("%v of 20 other calls are throttled", got)
		}
	})
}

func TestPercent_DeadlineOfItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newThrottleRig(t, "client: [{deadline: {timeout: 2s}}, {percent: 10, deadline: {timeout: 300ms}}]", nil)
		for _, c := range []struct {
			random func() float64
			want   time.Duration
		}{{in, 300 * time.Millisecond}, {out, 2 * time.Second}} {
			r.client.cfg.random = c.random
			must(t, r.client.unary(t.Context(), "/s.S/M", nil, nil, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				if at, _ := ctx.Deadline(); time.Until(at) != c.want {
					t.Errorf("the call has %s, want %s", time.Until(at), c.want)
				}
				return nil
			}))
		}
	})
}
