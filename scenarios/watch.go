package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
)

// A breakerWatch follows the breakers from the start of a run.
type breakerWatch struct {
	source Breakers
	clock  Clock
	tell   func(BreakerChange)

	mu     sync.Mutex
	traces []expect.StateTrace
	listed int       // the first so many traces come from the list made at the start
	open   bool      // the list at the start has been made
	heard  time.Time // when the last list was asked for that was answered
	since  time.Time
	boot   string
	lossy  bool // changes were lost
	seq    uint64
}

// watchBreakers subscribes before it lists, so that no change falls between; run must then be called.
func watchBreakers(ctx context.Context, source Breakers, clock Clock, tell func(BreakerChange)) (*breakerWatch, <-chan BreakerChange, error) {
	w := &breakerWatch{source: source, clock: clock, tell: tell, since: clock.Now()}
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

// refresh learns of breakers that have not changed yet, and so have sent no event, and in which state the others are.
func (w *breakerWatch) refresh(ctx context.Context) error {
	asked := w.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	listed, err := w.source.Breakers(ctx)
	if err != nil {
		return fmt.Errorf("listing breakers: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	atStart := !w.open
	w.open, w.heard = true, asked
	for _, b := range listed {
		// One that is new and has changed already has an event on its way, which says what it was before.
		fresh := b.State == telemetry.Closed && b.Reason == ""
		if i := w.find(b.Caller, b.Callee, b.Method); i >= 0 {
			w.traces[i].Listed = expect.Visit{State: b.State, At: b.Since}
		} else if atStart || fresh {
			w.traces = append(w.traces, expect.StateTrace{From: b.Caller, To: b.Callee, Method: b.Method, Visits: []expect.Visit{{State: b.State, At: b.Since}}})
		}
	}
	return nil
}

func (w *breakerWatch) find(from, to, method string) int {
	return slices.IndexFunc(w.traces, func(t expect.StateTrace) bool { return t.From == from && t.To == to && t.Method == method })
}

// run records changes until ctx ends, and subscribes again when the connection is lost.
func (w *breakerWatch) run(ctx context.Context, events <-chan BreakerChange) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-events:
			if ok {
				if w.add(c) {
					w.tell(c)
				}
				continue
			}
		}
		if clock.Pause(ctx, w.clock, pulse) != nil {
			return
		}
		w.mu.Lock()
		after := w.seq
		w.mu.Unlock()
		again, err := w.source.Events(ctx, w.since, after)
		if err == nil {
			events = again
		}
	}
}

// add says whether the change was news: one that the first listing included is not.
func (w *breakerWatch) add(c BreakerChange) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Boot != w.boot { // the numbers of another process
		w.boot, w.seq = c.Boot, 0
	}
	w.seq = max(w.seq, c.Seq)
	if c.Missed { // of which breaker nobody knows, perhaps of one not heard of yet
		w.lossy = true
		for i := range w.traces {
			w.traces[i].Gap = true
		}
		return false
	}
	i := w.find(c.From, c.To, c.Method)
	if i < 0 {
		w.traces = append(w.traces, expect.StateTrace{From: c.From, To: c.To, Method: c.Method, Visits: []expect.Visit{{State: c.Old, At: c.At}}, Gap: w.lossy})
		i = len(w.traces) - 1
	}
	t := &w.traces[i]
	last := t.Visits[len(t.Visits)-1]
	if len(t.Visits) == 1 && i < w.listed && includes(last, c) {
		return false
	}
	t.Gap = t.Gap || last.State != c.Old
	t.Visits = append(t.Visits, expect.Visit{State: c.New, At: c.At})
	return true
}

// includes says whether a listed state already takes the change into account. Both times come from the breaker's own clock.
func includes(v expect.Visit, c BreakerChange) bool {
	if v.At.IsZero() {
		return v.State == c.New
	}
	return !c.At.After(v.At)
}

// present lists the breakers again. When that fails it returns the traces as they were heard of, and why they say nothing about the present.
func (w *breakerWatch) present(ctx context.Context) (traces []expect.StateTrace, unknown string) {
	err := w.refresh(ctx)
	w.mu.Lock()
	age := w.clock.Now().Sub(w.heard)
	w.mu.Unlock()
	if age > expect.MaxAge {
		unknown = fmt.Sprintf("breakers were last read %s ago", age.Round(time.Millisecond))
		if err != nil {
			unknown += ": " + err.Error()
		}
	}
	return w.snapshot(), unknown
}

// snapshot copies the traces. One that changed again after its last event, as the last list says, has a gap.
func (w *breakerWatch) snapshot() []expect.StateTrace {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.traces)
	for i := range out {
		out[i].Visits = slices.Clone(out[i].Visits)
		out[i].Gap = out[i].Gap || out[i].Outdated()
	}
	return out
}

func breakerEvent(c BreakerChange) telemetry.Event {
	e := telemetry.Event{
		At: c.At, Kind: "breaker",
		Subject: fmt.Sprintf("%s→%s %s", c.From, c.To, c.Method),
		Detail:  fmt.Sprintf("%s→%s", c.Old, c.New),
	}
	if c.Reason != "" {
		e.Detail += ": " + c.Reason
	}
	return e
}
