package scenarios

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// walked is a trail whose states are a second apart.
func walked(method string, states ...telemetry.BreakerState) trail {
	t := trail{From: "a", To: "b", Method: method}
	for i, s := range states {
		t.Visits = append(t.Visits, visit{s, epoch.Add(time.Duration(i) * time.Second)})
	}
	return t
}

func TestBreakerExpectation(t *testing.T) {
	const c, o, h = telemetry.Closed, telemetry.Open, telemetry.HalfOpen
	once := []telemetry.BreakerState{c, o, h, c}
	gap := walked("m", once...)
	gap.Gap = true
	for _, tc := range []struct {
		sentence string
		x        breaker
		trails   []trail
		met      bool
		observed string
	}{
		{"the same states are the trace", breaker{Trace: once}, []trail{walked("m", once...)}, true, "closed → open → half-open → closed"},
		{"more states are another trace", breaker{Trace: once}, []trail{walked("m", c, o, h, o, h, c)}, false, "closed → open → half-open → open → half-open → closed"},
		{"more states still visit", breaker{Visits: once}, []trail{walked("m", c, o, h, o, h, c)}, true, "closed → open → half-open → open → half-open → closed"},
		{"visits in another order do not count", breaker{Visits: once}, []trail{walked("m", h, c, o)}, false, "half-open → closed → open"},
		{"a breaker that never changed does not spoil another's trace", breaker{Trace: once}, []trail{walked("idle", c), walked("m", once...)}, true, "closed → open → half-open → closed"},
		{"one that changed spoils a trace of none", breaker{Trace: once[:1]}, []trail{walked("idle", c), walked("m", c, o)}, false, "closed → open"},
		{"all that changed must match", breaker{Trace: once}, []trail{walked("m", once...), walked("n", c, o)}, false, "closed → open"},
		{"only the named method is looked at", breaker{Method: "m", Trace: once}, []trail{walked("m", once...), walked("n", c, o)}, true, "closed → open → half-open → closed"},
		{"no breaker is not a pass", breaker{Trace: once[:1]}, nil, false, "unknown"},
		{"no breaker has no state", breaker{State: c}, nil, false, "unknown"},
		{"a missed change is not an exact trace", breaker{Trace: once}, []trail{gap}, false, "closed → open → half-open → closed"},
		{"a missed change does not unsee visits", breaker{Visits: once}, []trail{gap}, true, "closed → open → half-open → closed"},
		{"the worst breaker is the path's state", breaker{State: c}, []trail{walked("m", c), walked("n", c, o, h)}, false, "half-open"},
		{"open is worse than half-open", breaker{State: o}, []trail{walked("m", c, o), walked("n", c, o, h)}, true, "open"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			tc.x.From, tc.x.To = "a", "b"
			other := trail{From: "a", To: "elsewhere", Visits: []visit{{o, epoch}}}
			f := tc.x.check(evidence{trails: append(tc.trails, other)})
			if f.Met() != tc.met || f.Observed.Text != tc.observed {
				t.Errorf("held %t, observed %q (%s)", f.Met(), f.Observed.Text, f.Note)
			}
		})
	}
}

func TestNothingObservedNeverHolds(t *testing.T) {
	e := evidence{loads: map[string]LoadReading{}, ready: func(string) (int, time.Time, error) { return 3, time.Time{}, errors.New("no route") }}
	for _, x := range []Expectation{availability{Of: "l"}, latency{Of: "l", Quantile: 0.5, AtMost: time.Hour}, sent{"l", 0}, ready{"r", 0}, breaker{State: telemetry.Closed}} {
		if f := x.check(e); f.Met() || f.Observed.Text != "unknown" || f.Note == "" {
			t.Errorf("%s: %+v", x, f)
		}
	}
}

func TestAvailabilityIsJudgedUnroundedAndShownRoundedDown(t *testing.T) {
	for _, tc := range []struct {
		ok, failed int64
		limit      Share
		met        bool
		shown      float64
	}{
		{995, 5, 0.995, true, 99.5},
		{9949, 51, 0.995, false, 99.49},
		{9_999_999, 1, 1, false, 99.9999},
		{0, 10, 0.5, false, 0},
	} {
		f := availability{Of: "l", AtLeast: tc.limit}.check(evidence{loads: map[string]LoadReading{"l": {Sent: tc.ok + tc.failed, OK: tc.ok, Errors: map[string]int64{"Internal": tc.failed}}}})
		if f.Met() != tc.met || f.Observed.Number != tc.shown {
			t.Errorf("%d of %d: held %t, shown %v", tc.ok, tc.ok+tc.failed, f.Met(), f.Observed.Number)
		}
	}
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
			if got := watch.snapshot()[0]; !slices.Equal(got.states(), tc.want) || got.Gap {
				t.Errorf("%v, gap %t", got.states(), got.Gap)
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
		listed   visit
		want     []telemetry.BreakerState
		now      telemetry.BreakerState
		gap      bool
	}{
		{"all are heard", []BreakerChange{opened, closed}, visit{telemetry.Closed, closed.At}, []telemetry.BreakerState{"closed", "open", "closed"}, telemetry.Closed, false},
		{"the last one is not heard", []BreakerChange{opened}, visit{telemetry.Closed, closed.At}, []telemetry.BreakerState{"closed", "open"}, telemetry.Closed, true},
		{"none is heard, and it is as before", nil, visit{telemetry.Closed, closed.At}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
		{"some were lost on the way", []BreakerChange{{Seq: 9, Boot: "a", Missed: true}}, visit{telemetry.Closed, epoch}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
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
			if got := watch.snapshot()[0]; !slices.Equal(got.states(), tc.want) || got.Gap != tc.gap || got.now() != tc.now {
				t.Errorf("%v, now %s, gap %t", got.states(), got.now(), got.Gap)
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
		if got := watch.snapshot()[0]; !slices.Equal(got.states(), want) || got.Gap {
			t.Errorf("%v, gap %t", got.states(), got.Gap)
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
