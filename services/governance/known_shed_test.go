package governance

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func busy(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A burst upon a quiet server: failsafe-go's limiter never lets the limit be more than five times what was in flight lately, so a server that
// idles has a limit of about 5, and a fan-out of 20 calls, which it could do at once, is refused for the most part.
func TestShed_BurstOnIdleServer(t *testing.T) {
	knownfailures.Listed(t)
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "shed: {}")
		for range 600 { // a minute of 10 calls a second, one after the other
			_ = s.call(t.Context(), false, "a.B/C", busy(2*time.Millisecond))
			time.Sleep(98 * time.Millisecond)
		}
		limit := metric(t, s.metrics, "sandbox_shed_limit")
		var ok, shed atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if s.call(t.Context(), false, "a.B/C", busy(2*time.Millisecond)) == nil {
					ok.Add(1)
				} else {
					shed.Add(1)
				}
			})
		}
		all.Wait()
		t.Logf("limit after a quiet minute: %v; of 20 calls at once on the idle server %d were served, %d shed", limit, ok.Load(), shed.Load())
		if shed.Load() > 0 {
			t.Error("an idle server sheds")
		}
	})
}

// Methods that are slow by nature (a long poll, a report) share the one limiter of the process with fast ones. Nothing queues here: the work is a
// sleep, so there is no overload whatever is offered.
func TestShed_FastAndSlowMethods(t *testing.T) {
	knownfailures.Listed(t)
	for _, c := range []struct {
		name         string
		before, with float64 // slow calls per second in the first and second minute
		slow         time.Duration
	}{
		{"fast alone", 0, 0, time.Second},
		{"a tenth is a report of 300 ms from the second minute on", 0, 20, 300 * time.Millisecond},
		{"long polls of 5 s, 20/s, from the second minute on", 0, 20, 5 * time.Second},
		{"long polls of 5 s, 20/s, all the time", 20, 20, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServing(t, "shed: {}")
				var ok, shed, okSlow, shedSlow atomic.Int64
				var all sync.WaitGroup
				began := time.Now()
				offer := func(rate func(time.Duration) float64, method string, d time.Duration, ok, shed *atomic.Int64) {
					random := rand.New(rand.NewPCG(1, 2))
					for time.Since(began) < 4*time.Minute {
						r := rate(time.Since(began))
						if r == 0 {
							time.Sleep(time.Second)
							continue
						}
						time.Sleep(time.Duration(random.ExpFloat64() / r * float64(time.Second)))
						counts := time.Since(began) > 2*time.Minute
						all.Go(func() {
							ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
							defer cancel()
							err := s.call(ctx, false, method, busy(d+time.Duration(rand.Int64N(int64(d/4)))))
							if !counts {
								return
							}
							if err == nil {
								ok.Add(1)
							} else {
								shed.Add(1)
							}
						})
					}
				}
				var offering sync.WaitGroup
				offering.Go(func() { offer(func(time.Duration) float64 { return 200 }, "a.B/Fast", 2*time.Millisecond, &ok, &shed) })
				offering.Go(func() {
					offer(func(at time.Duration) float64 {
						if at < time.Minute {
							return c.before
						}
						return c.with
					}, "a.B/Slow", c.slow, &okSlow, &shedSlow)
				})
				offering.Wait()
				limit := metric(t, s.metrics, "sandbox_shed_limit")
				all.Wait()
				pct := func(a, b *atomic.Int64) float64 { return 100 * float64(b.Load()) / max(1, float64(a.Load()+b.Load())) }
				t.Logf("minutes 3 and 4: %.1f %% of the fast and %.1f %% of the slow calls were shed; limit %v", pct(&ok, &shed), pct(&okSlow, &shedSlow), limit)
				if pct(&ok, &shed) > 1 {
					t.Error("nothing queues, and fast calls are shed")
				}
			})
		})
	}
}
