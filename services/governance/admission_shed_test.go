package governance

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// workshop is a server that can serve a number of calls at a time and queues the others, first come first served, until their callers give up.
type workshop struct {
	places chan struct{}
	each   time.Duration
}

func (w workshop) work(ctx context.Context) error {
	select {
	case w.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// A call that has started takes its time, even if its caller has left.
	time.Sleep(w.each)
	<-w.places
	return ctx.Err()
}

// offered sends calls at random moments at a mean rate. It returns how many of those in the second half were answered in time, per second,
// and how long they took.
func offered(t *testing.T, s *serving, w workshop, rate float64, span, deadline time.Duration) (goodput float64, took []time.Duration) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var calls sync.WaitGroup
	start := time.Now()
	for time.Since(start) < span {
		time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		counts := time.Since(start) > span/2
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			start := time.Now()
			if err := s.call(ctx, false, "a.B/C", w.work); err == nil && counts {
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(start))
			}
		})
	}
	calls.Wait()
	slices.Sort(took)
	return float64(len(took)) / (span / 2).Seconds(), took
}

// A server with 10 slots and 10 ms a call can serve 1000 calls a second. At twice that rate without shedding, its queue is full of calls
// whose callers leave before their turn. With shedding, it serves nearly as many as at its peak.
func TestShed_TwiceTheCapacity(t *testing.T) {
	const deadline = 250 * time.Millisecond
	run := func(text string, rate float64, span time.Duration) (goodput float64, p99 time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			var took []time.Duration
			goodput, took = offered(t, newServing(t, text), workshop{make(chan struct{}, 10), 10 * time.Millisecond}, rate, span, deadline)
			if len(took) > 0 {
				p99 = took[len(took)*99/100]
			}
		})
		return goodput, p99
	}
	peak, _ := run("shed: {maxLimit: 1000}", 950, 20*time.Second)
	over, p99 := run("shed: {maxLimit: 1000}", 2000, 30*time.Second)
	without, _ := run("", 2000, 10*time.Second)
	t.Logf("peak %.0f/s; at 2000/s with shedding %.0f/s (%.0f %% of the peak) and p99 %s, without %.0f/s", peak, over, 100*over/peak, p99, without)
	if over < 0.9*peak {
		t.Errorf("at twice the capacity %.0f/s are answered, less than 90 %% of %.0f/s", over, peak)
	}
	if p99 > 50*time.Millisecond {
		t.Errorf("the p99 of accepted calls is %s", p99)
	}
	if without > 0.5*peak {
		t.Errorf("without shedding %.0f/s are answered, so the test proves nothing", without)
	}
}

func TestShed_Priorities(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, `
shed: {minLimit: 10, maxLimit: 10, initialLimit: 10}
server: [{method: 'a.B/*', shedGroup: all}, {method: a.B/Low, priority: low}, {method: a.B/High, priority: high}, {method: a.B/Critical, priority: critical}]`)
		release := make(chan struct{})
		var calls sync.WaitGroup
		occupied := 0
		// Unary calls hold a permit.
		occupy := func(until int) {
			for ; occupied < until; occupied++ {
				calls.Go(func() {
					_ = s.call(t.Context(), false, "a.B/High", func(context.Context) error { <-release; return nil })
				})
			}
			synctest.Wait()
		}
		var shed float64
		for _, step := range []struct {
			occupied int
			served   []string
			shed     []string
		}{
			{5, []string{"a.B/Low", "a.B/Normal", "a.B/High", "a.B/Critical"}, nil},
			{6, []string{"a.B/Normal", "a.B/High", "a.B/Critical"}, []string{"a.B/Low"}},
			{9, []string{"a.B/High", "a.B/Critical"}, []string{"a.B/Low", "a.B/Normal"}},
			{10, []string{"a.B/Critical"}, []string{"a.B/Low", "a.B/Normal", "a.B/High"}},
		} {
			occupy(step.occupied)
			for _, method := range step.served {
				if err := s.call(t.Context(), streaming, method, fine); err != nil {
					t.Errorf("with %d in flight %s got %v", step.occupied, method, err)
				}
			}
			for _, method := range step.shed {
				shed++
				err := s.call(t.Context(), streaming, method, fine)
				s.refused(err, codes.ResourceExhausted, refusal.ReasonOverloaded, shed)
				if _, ok := refusal.RetryDelay(err); !ok {
					t.Error("the error has no RetryInfo")
				}
			}
		}
		if got := metric(t, s.metrics, "sandbox_shed_refused_total"); got != shed {
			t.Errorf("%v shed, want %v", got, shed)
		}
		if got := metric(t, s.metrics, "sandbox_shed_limit"); got != 10 {
			t.Errorf("the limit is %v, want 10", got)
		}
		if got := metric(t, s.metrics, "sandbox_shed_in_flight"); got != 10 {
			t.Errorf("%v calls hold a permit, want 10", got)
		}
		change(t, s.policy, "")
		must(t, s.call(t.Context(), streaming, "a.B/Low", fine))
		close(release)
		calls.Wait()
		for _, name := range []string{"sandbox_shed_in_flight", "sandbox_shed_limit"} {
			if got := metric(t, s.metrics, name); got != 0 {
				t.Errorf("with no call and nothing to shed %s is %v", name, got)
			}
		}
	})
}

func TestShed_StreamHoldsNoPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "shed: {minLimit: 1, maxLimit: 1, initialLimit: 1}")
		release := make(chan struct{})
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() {
				if err := s.call(t.Context(), true, "a.B/C", func(context.Context) error { <-release; return nil }); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(release)
		calls.Wait()
	})
}
