package scenarios

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// walked is a expect.StateTrace whose states are a second apart.
func walked(method string, states ...telemetry.BreakerState) expect.StateTrace {
	t := expect.StateTrace{From: "a", To: "b", Method: method}
	for i, s := range states {
		t.Visits = append(t.Visits, expect.Visit{State: s, At: epoch.Add(time.Duration(i) * time.Second)})
	}
	return t
}

func TestListedChangeIsNotCountedTwice(t *testing.T) {
	since := epoch.Add(time.Minute)
	for _, tc := range []struct {
		sentence string
		since    time.Time
		change   BreakerChange
		want     []telemetry.BreakerState
	}{
		{"older than the list", since, BreakerChange{At: epoch, Old: "half-open", New: "closed"}, []telemetry.BreakerState{"open"}},
		{"the listed one itself", since, BreakerChange{At: since, Old: "closed", New: "open"}, []telemetry.BreakerState{"open"}},
		{"the listed one, its time not known", time.Time{}, BreakerChange{At: since, Old: "closed", New: "open"}, []telemetry.BreakerState{"open"}},
		{"the next one", since, BreakerChange{At: since.Add(1), Old: "open", New: "half-open"}, []telemetry.BreakerState{"open", "half-open"}},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			w := newWorld()
			w.breaker.State, w.breaker.Since = telemetry.Open, tc.since
			watch, _, err := watchBreakers(t.Context(), w, clock.Wall{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := tc.change
			c.From, c.To, c.Method = w.breaker.Caller, w.breaker.Callee, w.breaker.Method
			watch.add(c)
			if got := watch.snapshot()[0]; !slices.Equal(got.States(), tc.want) || got.Gap {
				t.Errorf("%v, gap %t", got.States(), got.Gap)
			}
		})
	}
}

func TestNoChangeIsLostWithoutAWord(t *testing.T) {
	opened := BreakerChange{Seq: 1, Boot: "a", At: epoch.Add(time.Second), Old: telemetry.Closed, New: telemetry.Open}
	closed := BreakerChange{Seq: 2, Boot: "a", At: epoch.Add(2 * time.Second), Old: telemetry.Open, New: telemetry.Closed}
	for _, tc := range []struct {
		sentence string
		changes  []BreakerChange
		listed   expect.Visit
		want     []telemetry.BreakerState
		now      telemetry.BreakerState
		gap      bool
	}{
		{"all are heard", []BreakerChange{opened, closed}, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed", "open", "closed"}, telemetry.Closed, false},
		{"the last one is not heard", []BreakerChange{opened}, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed", "open"}, telemetry.Closed, true},
		{"none is heard, and it is as before", nil, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
		{"some were lost on the way", []BreakerChange{{Seq: 9, Boot: "a", Missed: true}}, expect.Visit{State: telemetry.Closed, At: epoch}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			w := newWorld()
			w.breaker.Since = epoch
			watch, _, err := watchBreakers(t.Context(), w, clock.Wall{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range tc.changes {
				c.From, c.To, c.Method = w.breaker.Caller, w.breaker.Callee, w.breaker.Method
				watch.add(c)
			}
			w.breaker.State, w.breaker.Since = tc.listed.State, tc.listed.At
			if err := watch.refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := watch.snapshot()[0]; !slices.Equal(got.States(), tc.want) || got.Gap != tc.gap || got.Now() != tc.now {
				t.Errorf("%v, now %s, gap %t", got.States(), got.Now(), got.Gap)
			}
		})
	}
}

func TestWhatWasLostMayBeOfABreakerThatWasNotHeardOf(t *testing.T) {
	watch, _, err := watchBreakers(t.Context(), newWorld(), clock.Wall{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := BreakerChange{Seq: 10, At: epoch, From: "a", To: "b", Old: telemetry.Closed, New: telemetry.Open}
	for _, gap := range []bool{false, true} {
		change.Method += "m" // another breaker
		watch.add(change)
		if all := watch.snapshot(); all[len(all)-1].Gap != gap {
			t.Errorf("%s: gap %t, want %t", change.Method, !gap, gap)
		}
		watch.add(BreakerChange{Seq: 11, Missed: true})
	}
}

func TestAWatchThatLostItsConnectionHearsWhatHappenedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld()
		watch, events, err := watchBreakers(ctx, w, clock.Wall{}, func(BreakerChange) {})
		if err != nil {
			t.Fatal(err)
		}
		happen := func(seq uint64, boot string, from, to telemetry.BreakerState) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, BreakerChange{Seq: seq, Boot: boot, At: time.Now(), Old: from, New: to,
				From: w.breaker.Caller, To: w.breaker.Callee, Method: w.breaker.Method})
		}
		time.Sleep(time.Second)
		w.hangUp()
		happen(1, "a", telemetry.Closed, telemetry.Open)
		happen(2, "a", telemetry.Open, telemetry.Closed)
		go watch.run(ctx, events)
		time.Sleep(2 * pulse)
		w.hangUp()
		w.mu.Lock()
		w.changes = nil // another process, whose numbers begin anew
		w.mu.Unlock()
		happen(1, "b", telemetry.Closed, telemetry.Open)
		time.Sleep(2 * pulse)
		w.hangUp()
		happen(2, "b", telemetry.Open, telemetry.HalfOpen)
		happen(3, "b", telemetry.HalfOpen, telemetry.Closed)
		time.Sleep(2 * pulse)
		want := []telemetry.BreakerState{"closed", "open", "closed", "open", "half-open", "closed"}
		if got := watch.snapshot()[0]; !slices.Equal(got.States(), want) || got.Gap {
			t.Errorf("%v, gap %t", got.States(), got.Gap)
		}
	})
}

// prompt is a world whose loads have calls in flight as soon as they are started.
type prompt struct{ *world }

func (p prompt) Start(ctx context.Context, l LoadSpec) error {
	err := p.world.Start(ctx, l)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.loads[l.Name].Intended, p.loads[l.Name].Sent = 2, 2
	}
	return err
}

func TestAReportCountsEveryCallOfItsLoad(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		report, err := Run(ctx, scenario(t, "pod-kill"), Target{Loads: prompt{w}, Workloads: w, Breakers: w}, opts)
		if err != nil || len(report.Load) != 1 {
			t.Fatalf("%+v, %v", report.Load, err)
		}
		failed := int64(0)
		for _, n := range report.Load[0].Errors {
			failed += n
		}
		if l := report.Load[0]; l.OK+failed != l.Sent {
			t.Errorf("of %d calls that were sent %d were answered and %d failed", l.Sent, l.OK, failed)
		}
	})
}
