package watch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Breakers follows the circuit breakers from the start of a run. It combines two sources: events, which have every change, and lists, which have the
// breakers that have not changed yet and show whether an event was missed.
type Breakers struct {
	source target.Breakers
	clock  clock.Clock
	notify func(target.BreakerChange)

	mu     sync.Mutex
	traces []expect.StateTrace
	// listed is the number of traces that come from the first list.
	listed int
	// started is true once the first list was made.
	started bool
	// listedAt is when the last list that was answered was requested.
	listedAt time.Time
	// since is the time from which events are requested.
	since time.Time
	// boot identifies the process whose sequence numbers are counted.
	boot string
	// seq is the sequence number of the last event.
	seq uint64
	// lossy is true if changes were lost.
	lossy bool
}

// WatchBreakers subscribes before it lists, so that no change falls in between. It calls notify for every change. The caller must then call Run
// with the channel.
func WatchBreakers(
	ctx context.Context, source target.Breakers, c clock.Clock, notify func(target.BreakerChange),
) (*Breakers, <-chan target.BreakerChange, error) {
	w := &Breakers{source: source, clock: c, notify: notify, since: c.Now()}
	events, err := source.Events(ctx, w.since, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("subscribing to breaker events: %w", err)
	}
	if err := w.refresh(ctx); err != nil {
		return nil, nil, err
	}
	w.listed = len(w.traces)
	return w, events, nil
}

// refresh lists the breakers. That finds breakers that have not changed yet, which send no event, and the present state of the others.
func (w *Breakers) refresh(ctx context.Context) error {
	requested := w.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	listed, err := w.source.Breakers(ctx)
	if err != nil {
		return fmt.Errorf("listing breakers: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	first := !w.started
	w.started, w.listedAt = true, requested
	for _, b := range listed {
		// If a new breaker has already changed, its event is still to come. The event has the state before the change.
		unchanged := b.State == telemetry.Closed && b.Reason == ""
		visit := expect.Visit{State: b.State, At: b.Since}
		if i := w.find(b.Caller, b.Callee, b.Method, b.Pod); i >= 0 {
			w.traces[i].Listed = visit
		} else if first || unchanged {
			w.traces = append(w.traces, expect.StateTrace{From: b.Caller, To: b.Callee, Method: b.Method, Pod: b.Pod, Visits: []expect.Visit{visit}})
		}
	}
	return nil
}

func (w *Breakers) find(from, to, method, pod string) int {
	return slices.IndexFunc(w.traces, func(t expect.StateTrace) bool {
		return t.From == from && t.To == to && t.Method == method && t.Pod == pod
	})
}

// Run records changes until ctx ends. If the connection is lost, it subscribes again.
func (w *Breakers) Run(ctx context.Context, events <-chan target.BreakerChange) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-events:
			if ok {
				if w.add(c) {
					w.notify(c)
				}
				continue
			}
		}
		if clock.Pause(ctx, w.clock, Interval) != nil {
			return
		}
		w.mu.Lock()
		after := w.seq
		w.mu.Unlock()
		resumed, err := w.source.Events(ctx, w.since, after)
		if err == nil {
			events = resumed
		}
	}
}

// add records a change. It returns false if the first list included the change already.
func (w *Breakers) add(c target.BreakerChange) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Each process counts from 1.
	if c.Boot != w.boot {
		w.boot, w.seq = c.Boot, 0
	}
	w.seq = max(w.seq, c.Seq)
	// A missed change can be that of any breaker, even of one that is not listed yet.
	if c.Missed {
		w.lossy = true
		for i := range w.traces {
			w.traces[i].Gap = true
		}
		return false
	}
	i := w.find(c.From, c.To, c.Method, c.Pod)
	if i < 0 {
		before := expect.Visit{State: c.Old, At: c.At}
		w.traces = append(w.traces, expect.StateTrace{From: c.From, To: c.To, Method: c.Method, Pod: c.Pod, Visits: []expect.Visit{before}, Gap: w.lossy})
		i = len(w.traces) - 1
	}
	t := &w.traces[i]
	last := t.Last()
	if len(t.Visits) == 1 && i < w.listed && includes(last, c) {
		return false
	}
	t.Gap = t.Gap || last.State != c.Old
	t.Visits = append(t.Visits, expect.Visit{State: c.New, At: c.At})
	return true
}

// includes reports whether a listed state already accounts for the change. Both times come from the clock of the breaker.
func includes(v expect.Visit, c target.BreakerChange) bool {
	if v.At.IsZero() {
		return v.State == c.New
	}
	return !c.At.After(v.At)
}

// Present lists the breakers and returns their traces. If the list is too old, it returns why the present states are not known.
func (w *Breakers) Present(ctx context.Context) (traces []expect.StateTrace, unknown string) {
	err := w.refresh(ctx)
	w.mu.Lock()
	age := w.clock.Now().Sub(w.listedAt)
	w.mu.Unlock()
	if age > expect.MaxAge {
		unknown = fmt.Sprintf("breakers were last read %s ago", age.Round(time.Millisecond))
		if err != nil {
			unknown += ": " + err.Error()
		}
	}
	return w.Snapshot(), unknown
}

// Snapshot returns a copy of the traces. A trace has a gap if the list shows a change without an event.
func (w *Breakers) Snapshot() []expect.StateTrace {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.traces)
	for i := range out {
		out[i].Visits = slices.Clone(out[i].Visits)
		out[i].Gap = out[i].Gap || out[i].Outdated()
	}
	return out
}
