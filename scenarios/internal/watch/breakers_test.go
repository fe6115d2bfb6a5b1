package watch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// source is a list of one circuit breaker and its events.
type source struct {
	mu sync.Mutex
	// breaker is listed only if it has a caller.
	breaker telemetry.Breaker
	changes []target.BreakerChange
	subs    []chan target.BreakerChange
}

func newSource() *source {
	return &source{breaker: telemetry.Breaker{Caller: "loadgen", Callee: "userservice", Method: "user.v1.UserService/GetUser", State: telemetry.Closed}}
}

func (s *source) Breakers(context.Context) ([]telemetry.Breaker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker.Caller == "" {
		return nil, nil
	}
	return []telemetry.Breaker{s.breaker}, nil
}

func (s *source) Events(_ context.Context, since time.Time, after uint64) (<-chan target.BreakerChange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(chan target.BreakerChange, 1000)
	// A number beyond the last change is from another process.
	if n := len(s.changes); n == 0 || after > s.changes[n-1].Seq {
		after = 0
	}
	for _, c := range s.changes {
		if c.Seq > after && !c.At.Before(since) {
			out <- c
		}
	}
	s.subs = append(s.subs, out)
	return out, nil
}

// hangUp closes every subscription, as a lost connection does.
func (s *source) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		close(sub)
	}
	s.subs = nil
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBreakers_ListedChangeIsNotCountedTwice(t *testing.T) {
	since := epoch.Add(time.Minute)
	for _, tc := range []struct {
		sentence string
		since    time.Time
		change   target.BreakerChange
		want     []telemetry.BreakerState
	}{
		{"older than the list", since, target.BreakerChange{At: epoch, Old: "half-open", New: "closed"}, []telemetry.BreakerState{"open"}},
		{"the listed one itself", since, target.BreakerChange{At: since, Old: "closed", New: "open"}, []telemetry.BreakerState{"open"}},
		{"the listed one, its time not known", time.Time{}, target.BreakerChange{At: since, Old: "closed", New: "open"}, []telemetry.BreakerState{"open"}},
		{"the next one", since, target.BreakerChange{At: since.Add(1), Old: "open", New: "half-open"}, []telemetry.BreakerState{"open", "half-open"}},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			w := newSource()
			w.breaker.State, w.breaker.Since = telemetry.Open, tc.since
			watch, _, err := WatchBreakers(t.Context(), w, clock.Wall{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := tc.change
			c.From, c.To, c.Method = w.breaker.Caller, w.breaker.Callee, w.breaker.Method
			watch.add(c)
			if got := watch.Snapshot()[0]; !slices.Equal(got.States(), tc.want) || got.Gap {
				t.Errorf("%v, gap %t", got.States(), got.Gap)
			}
		})
	}
}

func TestBreakers_MissedChangeIsAGap(t *testing.T) {
	opened := target.BreakerChange{Seq: 1, Boot: "a", At: epoch.Add(time.Second), Old: telemetry.Closed, New: telemetry.Open}
	closed := target.BreakerChange{Seq: 2, Boot: "a", At: epoch.Add(2 * time.Second), Old: telemetry.Open, New: telemetry.Closed}
	for _, tc := range []struct {
		sentence string
		changes  []target.BreakerChange
		listed   expect.Visit
		want     []telemetry.BreakerState
		now      telemetry.BreakerState
		gap      bool
	}{
		{"all are received", []target.BreakerChange{opened, closed}, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed", "open", "closed"}, telemetry.Closed, false},
		{"the last one is missed", []target.BreakerChange{opened}, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed", "open"}, telemetry.Closed, true},
		{"all are missed, and the state is as before", nil, expect.Visit{State: telemetry.Closed, At: closed.At}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
		{"some were lost on the way", []target.BreakerChange{{Seq: 9, Boot: "a", Missed: true}}, expect.Visit{State: telemetry.Closed, At: epoch}, []telemetry.BreakerState{"closed"}, telemetry.Closed, true},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			w := newSource()
			w.breaker.Since = epoch
			watch, _, err := WatchBreakers(t.Context(), w, clock.Wall{}, nil)
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
			if got := watch.Snapshot()[0]; !slices.Equal(got.States(), tc.want) || got.Gap != tc.gap || got.Now() != tc.now {
				t.Errorf("%v, now %s, gap %t", got.States(), got.Now(), got.Gap)
			}
		})
	}
}

func TestBreakers_MissedChangeMayBeOfAnUnknownBreaker(t *testing.T) {
	watch, _, err := WatchBreakers(t.Context(), newSource(), clock.Wall{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := target.BreakerChange{Seq: 10, At: epoch, From: "a", To: "b", Old: telemetry.Closed, New: telemetry.Open}
	for _, gap := range []bool{false, true} {
		// Each round changes another breaker.
		change.Method += "m"
		watch.add(change)
		if all := watch.Snapshot(); all[len(all)-1].Gap != gap {
			t.Errorf("%s: gap %t, want %t", change.Method, !gap, gap)
		}
		watch.add(target.BreakerChange{Seq: 11, Missed: true})
	}
}

func TestBreakers_ReconnectReceivesMissedChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newSource()
		watch, events, err := WatchBreakers(ctx, w, clock.Wall{}, func(target.BreakerChange) {})
		if err != nil {
			t.Fatal(err)
		}
		happen := func(seq uint64, boot string, from, to telemetry.BreakerState) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, target.BreakerChange{Seq: seq, Boot: boot, At: time.Now(), Old: from, New: to,
				From: w.breaker.Caller, To: w.breaker.Callee, Method: w.breaker.Method})
		}
		time.Sleep(time.Second)
		w.hangUp()
		happen(1, "a", telemetry.Closed, telemetry.Open)
		happen(2, "a", telemetry.Open, telemetry.Closed)
		go watch.Run(ctx, events)
		time.Sleep(2 * Interval)
		w.hangUp()
		w.mu.Lock()
		// Another process starts, which counts from 1.
		w.changes = nil
		w.mu.Unlock()
		happen(1, "b", telemetry.Closed, telemetry.Open)
		time.Sleep(2 * Interval)
		w.hangUp()
		happen(2, "b", telemetry.Open, telemetry.HalfOpen)
		happen(3, "b", telemetry.HalfOpen, telemetry.Closed)
		time.Sleep(2 * Interval)
		want := []telemetry.BreakerState{"closed", "open", "closed", "open", "half-open", "closed"}
		if got := watch.Snapshot()[0]; !slices.Equal(got.States(), want) || got.Gap {
			t.Errorf("%v, gap %t", got.States(), got.Gap)
		}
	})
}

func TestBreakers_ListBeforeItsEvent(t *testing.T) {
	w := newSource()
	// There is no breaker at first.
	w.breaker.Caller = ""
	watch, _, err := WatchBreakers(t.Context(), w, clock.Wall{}, func(target.BreakerChange) {})
	if err != nil {
		t.Fatal(err)
	}
	w.breaker = telemetry.Breaker{Caller: "a", Callee: "b", Method: "m", State: telemetry.Open, Since: time.Now(), Reason: "26% of 50 calls failed"}
	if err := watch.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	watch.add(target.BreakerChange{Seq: 1, Boot: "x", At: w.breaker.Since, From: "a", To: "b", Method: "m", Old: telemetry.Closed, New: telemetry.Open})
	if got := watch.Snapshot()[0]; got.Gap || !slices.Equal(got.States(), []telemetry.BreakerState{telemetry.Closed, telemetry.Open}) {
		t.Errorf("the breaker went closed → open; got %v, gap %t", got.States(), got.Gap)
	}
}
