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

// Reproduces: failsafe-go's limiter never lets the limit exceed five times the recent number of calls in flight. An idle server has a limit
// of about 5, and refuses most of 20 calls at once, which it could serve.
func TestShed_BurstOnIdleServer(t *testing.T) {
	knownfailures.Listed(t)
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "shed: {}")
		// A minute of 10 calls a second, one after the other.
		for range 600 {
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
			t.Error("an idle server sheds calls")
		}
	})
}

// Reproduces: slow methods (a long poll, a report) share the limiter of the process with fast ones. Nothing queues here: the work is a sleep,
// so there is no overload whatever the load.
func TestShed_FastAndSlowMethods(t *testing.T) {
	knownfailures.Listed(t)
	for _, c := range []struct {
		name string
		// Slow calls per second in the first and second minute.
		before, with float64
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
				start := time.Now()
				offer := func(rate func(time.Duration) float64, method string, d time.Duration, ok, shed *atomic.Int64) {
					random := rand.New(rand.NewPCG(1, 2))
					for time.Since(start) < 4*time.Minute {
						r := rate(time.Since(start))
						if r == 0 {
							time.Sleep(time.Second)
							continue
						}
						time.Sleep(time.Duration(random.ExpFloat64() / r * float64(time.Second)))
						counts := time.Since(start) > 2*time.Minute
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
					t.Error("nothing queues, but fast calls are shed")
				}
			})
		})
	}
}
