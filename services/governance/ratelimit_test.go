package governance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestTokenBucket_ExactRetryDelay(t *testing.T) {
	for _, rate := range []float64{0.3, 1, 3, 7, 99.9, 1e4} {
		both(t, func(t *testing.T, streaming bool) {
			s := newServing(t, fmt.Sprintf("server: [{rate: {limits: [{tokenBucket: {rate: %g, burst: 3}}]}}]", rate))
			for range 3 {
				must(t, s.call(t.Context(), streaming, "a.B/C", fine))
			}
			for i := range 20 {
				err := s.call(t.Context(), streaming, "a.B/C", fine)
				s.refused(err, codes.ResourceExhausted, refusal.ReasonRateLimited, float64(2*i+1))
				after, _ := refusal.RetryDelay(err)
				if after <= 0 || after.Seconds() > 1/rate+1e-6 {
					t.Fatalf("at %g/s the delay is %s", rate, after)
				}
				if v := detail[*errdetails.QuotaFailure](err).GetViolations(); len(v) != 1 || v[0].GetSubject() != "a.B/C" {
					t.Errorf("violations %v", v)
				}
				time.Sleep(after - time.Microsecond)
				if err := s.call(t.Context(), streaming, "a.B/C", fine); err == nil {
					t.Fatalf("at %g/s a microsecond less than %s is enough", rate, after)
				}
				time.Sleep(time.Microsecond)
				if err := s.call(t.Context(), streaming, "a.B/C", fine); err != nil {
					t.Fatalf("at %g/s waiting %s is not enough: %v", rate, after, err)
				}
			}
		})
	}
}

func TestLeakyBucket_SpacesCalls(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{rate: {limits: [{leakyBucket: {rate: 10, queue: 3}}]}}]")
		start := time.Now()
		var mu sync.Mutex
		var served []time.Duration
		var refused []error
		var calls sync.WaitGroup
		for range 6 {
			calls.Go(func() {
				err := s.call(t.Context(), streaming, "a.B/C", func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					served = append(served, time.Since(start))
					return nil
				})
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					refused = append(refused, err)
				}
			})
		}
		calls.Wait()
		if len(served) != 4 || len(refused) != 2 {
			t.Fatalf("%d served, %d refused, want 4 and 2", len(served), len(refused))
		}
		for i, at := range served {
			if want := time.Duration(i) * 100 * time.Millisecond; (at - want).Abs() > time.Microsecond {
				t.Errorf("call %d was served after %s, want %s", i, at, want)
			}
		}
		if after, _ := refusal.RetryDelay(refused[0]); (after - 100*time.Millisecond).Abs() > time.Microsecond {
			t.Errorf("the delay is %s, want 100ms", after)
		}
	})
}

// A caller whose deadline is before its turn is refused at once, and takes no turn. The delay in the error is the time after which the same
// deadline is enough.
func TestLeakyBucket_TurnAfterDeadline(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{deadline: {margin: 0s}, rate: {limits: [{leakyBucket: {rate: 10, queue: 10}}]}}]")
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		for i, c := range []struct {
			patience, retry time.Duration
		}{{50 * time.Millisecond, 50 * time.Millisecond}, {100 * time.Millisecond, 0}, {101 * time.Millisecond, -1}} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), c.patience)
			err := s.call(ctx, streaming, "a.B/C", fine)
			cancel()
			if c.retry < 0 {
				must(t, err)
				continue
			}
			s.refused(err, codes.ResourceExhausted, refusal.ReasonRateLimited, float64(i+1))
			if after, ok := refusal.RetryDelay(err); !ok || (after-c.retry).Abs() > time.Microsecond || time.Since(start) > 0 {
				t.Errorf("with %s left: retry after %s, refused after %s", c.patience, after, time.Since(start))
			}
		}
	})
}

// A limiter must not cause an outage: if callers wait for less time than the queue is long, it serves as many as without a queue.
func TestLeakyBucket_ImpatientCallers(t *testing.T) {
	for _, patience := range []time.Duration{2 * time.Second, 500 * time.Millisecond, 20 * time.Millisecond} {
		t.Run(patience.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Up to 1 s of waiting.
				s := newServing(t, "server: [{deadline: {margin: 0s}, rate: {limits: [{leakyBucket: {rate: 10, queue: 10}}]}}]")
				var mu sync.Mutex
				got := map[codes.Code]int{}
				var all sync.WaitGroup
				const span = 30 * time.Second
				// This makes 20 calls a second, twice the rate.
				for start := time.Now(); time.Since(start) < span; time.Sleep(50 * time.Millisecond) {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), patience)
						defer cancel()
						code := status.Code(s.call(ctx, false, "a.B/C", fine))
						mu.Lock()
						defer mu.Unlock()
						got[code]++
					})
				}
				all.Wait()
				if least := int(0.9 * 10 * span.Seconds()); got[codes.OK] < least || got[codes.DeadlineExceeded] > 0 {
					t.Errorf("%v, want at least %d OK and none that waited in vain", got, least)
				}
			})
		})
	}
}

func TestLeakyBucket_CancelledWaiters(t *testing.T) {
	for _, c := range []struct {
		sentence, limits string
		// Of ten that wait, those that cancel.
		cancels func(i int) bool
		// How long the last one waits.
		last time.Duration
	}{
		{"with all cancelled, the next call has the first turn", "{leakyBucket: {rate: 1, queue: 10}}", func(int) bool { return true }, time.Second},
		{"those behind cancelled ones move up", "{leakyBucket: {rate: 1, queue: 10}}", func(i int) bool { return i < 8 }, 3 * time.Second},
		{"cancelled ones at the end free their places", "{leakyBucket: {rate: 1, queue: 10}}", func(i int) bool { return i >= 8 }, 9 * time.Second},
		{"in two lines the slower one counts", "{leakyBucket: {rate: 1, queue: 10}}, {leakyBucket: {rate: 2, queue: 20}}", func(i int) bool { return i%2 == 0 }, 6 * time.Second},
		{"tokens of other limits are given back", "{leakyBucket: {rate: 1, queue: 10}}, {tokenBucket: {rate: 0.001, burst: 12}}", func(i int) bool { return i < 8 }, 3 * time.Second},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			both(t, func(t *testing.T, streaming bool) {
				s := newServing(t, "server: [{deadline: {timeout: 1h}, rate: {limits: ["+c.limits+"]}}]")
				must(t, s.call(t.Context(), streaming, "a.B/C", fine))
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				var stay int
				for i := range 10 {
					mine := t.Context()
					if c.cancels(i) {
						mine = ctx
					} else {
						stay++
					}
					all.Go(func() {
						err := s.call(mine, streaming, "a.B/C", fine)
						if want := map[bool]codes.Code{true: codes.Canceled}[c.cancels(i)]; status.Code(err) != want {
							t.Errorf("call %d: got %v, want %s", i, err, want)
						}
					})
					synctest.Wait()
				}
				cancel()
				synctest.Wait()
				start := time.Now()
				must(t, s.call(t.Context(), streaming, "a.B/C", fine))
				if took := time.Since(start); (took - c.last).Abs() > time.Millisecond {
					t.Errorf("after %d others, a call waited %s, want %s", stay, took, c.last)
				}
				all.Wait()
				if got := metric(t, s.metrics, "sandbox_rate_queued_seconds_total"); got == 0 {
					t.Error("the time of waiting is not counted")
				}
			})
		})
	}
}

// A line follows a new pace at once.
func TestLeakyBucket_NewPaceForWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{deadline: {timeout: 1h}, rate: {limits: [{leakyBucket: {rate: 0.01, queue: 5}}]}}]")
		start := time.Now()
		must(t, s.call(t.Context(), false, "a.B/C", fine))
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { must(t, s.call(t.Context(), false, "a.B/C", fine)) })
		}
		synctest.Wait()
		change(t, s.policy, "server: [{rate: {limits: [{leakyBucket: {rate: 10, queue: 5}}]}}]")
		s.refused(s.call(t.Context(), false, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 1)
		all.Wait()
		if took := time.Since(start); (took - 500*time.Millisecond).Abs() > time.Millisecond {
			t.Errorf("five calls waited %s, want 500ms", took)
		}
	})
}

func TestRateLimit_KeptAcrossPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{rate: {limits: [{tokenBucket: {rate: 1, burst: 10}}]}}]")
		for range 10 {
			must(t, s.call(t.Context(), false, "a.B/C", fine))
		}
		change(t, s.policy, "version: same")
		change(t, s.policy, "server: [{rate: {limits: [{tokenBucket: {rate: 2, burst: 20}}]}}]")
		// No call came in between, so the limiter still has its spent tokens.
		s.refused(s.call(t.Context(), false, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 1)
		time.Sleep(500 * time.Millisecond)
		// At the new rate.
		must(t, s.call(t.Context(), false, "a.B/C", fine))
		change(t, s.policy, "server: [{rate: {limits: [{leakyBucket: {rate: 1}}, {tokenBucket: {rate: 2, burst: 20}}]}}]")
		s.refused(s.call(t.Context(), false, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 2)
	})
}

func TestRateLimit_SeveralLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{rate: {limits: [{tokenBucket: {rate: 1, burst: 5}}, {perCaller: true, tokenBucket: {rate: 1, burst: 1}}]}}]")
		method := s.server.method(s.policy.Rules(), "/a.B/C", unaryKind)
		limits := s.server.rule(s.policy.Rules(), method, "a.B/C").limits
		take := func(caller string, want bool, after time.Duration) {
			t.Helper()
			_, refused := method.all.rates.Take(limits, caller, time.Second)
			if (refused.For == 0) != want || (refused.For-after).Abs() > time.Microsecond || refused.Turn != refused.For {
				t.Errorf("%s: refused for %+v, want %s", caller, refused, after)
			}
		}
		take("a", true, 0)
		for range 10 {
			take("a", false, time.Second)
		}
		for _, caller := range []string{"b", "c", "d", "e"} {
			take(caller, true, 0)
		}
		take("f", false, time.Second)
	})
}
