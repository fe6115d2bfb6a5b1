package governance

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// lasting returns work of that duration, which does not slow other work down.
func lasting(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// failsWith returns work that fails nearly at once.
func failsWith(code codes.Code) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(10 * time.Microsecond)
		return status.Error(code, "no")
	}
}

// steady makes calls of a method at an even rate, and counts those that were shed.
func (s *serving) steady(rate int, span time.Duration, method string, work func(context.Context) error) (shed int64) {
	var refused atomic.Int64
	var calls sync.WaitGroup
	for start := time.Now(); time.Since(start) < span; time.Sleep(time.Second / time.Duration(rate)) {
		calls.Go(func() {
			if refusal.Reason(s.call(s.t.Context(), false, method, work)) == refusal.ReasonOverloaded {
				refused.Add(1)
			}
		})
	}
	calls.Wait()
	return refused.Load()
}

// burst makes calls at once, and returns how many were shed.
func (s *serving) burst(n int, method string, work func(context.Context) error) (shed int64) {
	var refused atomic.Int64
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() {
			if s.call(s.t.Context(), false, method, work) != nil {
				refused.Add(1)
			}
		})
	}
	calls.Wait()
	return refused.Load()
}

// Nothing is shed while nothing queues, whatever the server did before.
func TestShed_NothingQueues(t *testing.T) {
	const usual = 2 * time.Millisecond
	for _, c := range []struct {
		sentence, policy string
		before           func(*serving)
	}{
		{"a new server", "shed: {}", func(*serving) {}},
		{"a minute of few calls", "shed: {}", func(s *serving) { s.steady(10, time.Minute, "a.B/C", lasting(usual)) }},
		{"a minute of few calls of low priority", "shed: {}\nserver: [{priority: low}]", func(s *serving) { s.steady(10, time.Minute, "a.B/C", lasting(usual)) }},
		{"a larger burst with a larger initial limit", "shed: {initialLimit: 200}", func(s *serving) { s.steady(10, time.Minute, "a.B/C", lasting(usual)) }},
		{"a minute of bad input", "shed: {}", func(s *serving) {
			var other sync.WaitGroup
			other.Go(func() { s.steady(500, time.Minute, "a.B/C", failsWith(codes.InvalidArgument)) })
			s.steady(10, time.Minute, "a.B/C", lasting(usual))
			other.Wait()
		}},
		{"a minute without a database", "shed: {}", func(s *serving) { s.steady(500, time.Minute, "a.B/C", failsWith(codes.Unavailable)) }},
		{"a minute of injected faults", "shed: {}\nserverFaults: [{percent: 50, abort: {code: ABORTED}}]", func(s *serving) {
			s.steady(500, time.Minute, "a.B/C", lasting(usual))
			change(s.t, s.policy, "shed: {}")
		}},
		{"a minute of slow calls of another method", "shed: {}", func(s *serving) { s.steady(20, time.Minute, "a.B/Slow", lasting(300*time.Millisecond)) }},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServing(t, c.policy)
				c.before(s)
				size := 20
				if strings.Contains(c.policy, "200") {
					size = 180
				}
				burst := func() {
					t.Helper()
					if n := s.burst(size, "a.B/C", lasting(usual)); n > 0 {
						t.Errorf("%d of %d calls at once were shed, at a limit of %v", n, size, metric(t, s.metrics, "sandbox_shed_limit", "group", "a.B/C"))
					}
				}
				burst()
				if n := s.steady(500, 20*time.Second, "a.B/C", lasting(usual)); n > 0 {
					t.Errorf("%d of 10000 calls one after the other were shed", n)
				}
				burst()
			})
		})
	}
}

// Slow methods, such as a report or a long poll, have limits of their own.
func TestShed_FastAndSlowMethods(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		slow             time.Duration
		// Whether slow calls may be shed.
		slowToo bool
	}{
		{"reports of 300 ms", "shed: {}", 300 * time.Millisecond, false},
		{"long polls of 5 s are more than the initial limit", "shed: {}", 5 * time.Second, true},
		{"critical long polls of 5 s", "shed: {}\nserver: [{method: a.B/Slow, priority: critical}]", 5 * time.Second, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServing(t, c.policy)
				fast := s.steady(200, 30*time.Second, "a.B/Fast", lasting(2*time.Millisecond))
				var slow int64
				var both sync.WaitGroup
				both.Go(func() { slow = s.steady(20, time.Minute, "a.B/Slow", lasting(c.slow)) })
				fast += s.steady(200, time.Minute, "a.B/Fast", lasting(2*time.Millisecond))
				both.Wait()
				if fast > 0 || slow > 0 && !c.slowToo {
					t.Errorf("%d fast and %d slow calls were shed", fast, slow)
				}
			})
		})
	}
}

// An overload that comes after a time without one makes the limit smaller than the initial one, to about what the server can do.
func TestShed_OverloadAfterQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "shed: {}")
		w := workshop{make(chan struct{}, 10), 10 * time.Millisecond}
		offered(t, s, w, 300, 10*time.Second, 250*time.Millisecond)
		goodput, took := offered(t, s, w, 2000, 20*time.Second, 250*time.Millisecond)
		if limit := metric(t, s.metrics, "sandbox_shed_limit"); goodput < 900 || took[len(took)-1] > 40*time.Millisecond || limit > 40 {
			t.Errorf("%.0f/s, the slowest after %s, at a limit of %v", goodput, took[len(took)-1], limit)
		}
		// When the overload ends, so does the shedding.
		s.steady(200, 20*time.Second, "a.B/C", w.work)
		if n := s.burst(20, "a.B/C", w.work); n > 0 {
			t.Errorf("20 s later, %d of 20 calls at once were shed", n)
		}
	})
}
