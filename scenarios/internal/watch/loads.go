// Package watch keeps what a run observes while it goes on: readings of its loads, numbers of ready pods and the states of circuit breakers. From
// these it returns what happened in a window that ends now, or why that is not known.
package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

const (
	// Interval is the time between two samples, and between two judgements of conditions and limits.
	Interval = 250 * time.Millisecond
	// ReadTimeout is the deadline of one reading. What arrives later than [expect.MaxAge] is used for limits only.
	ReadTimeout = maxUnread / 4
	// maxUnread is how long a load may be unread before the run stops, because limits do not protect what is not observed.
	maxUnread = 10 * time.Second
)

// LimitError is the cause of a run that a limit stopped.
type LimitError struct{ Limit, Observed string }

// Error names the limit and what was observed.
func (e *LimitError) Error() string {
	return fmt.Sprintf("stopped by its limit: %s, observed %s", e.Limit, e.Observed)
}

// Loads keeps the readings of every load of a scenario, as far back as its longest window.
type Loads struct {
	source target.Loads
	clock  clock.Clock
	names  []string
	limits []expect.Limit

	mu   sync.Mutex
	past map[string]*readings
	keep keeping
}

// NewLoads returns loads without readings.
func NewLoads(sc spec.Scenario, source target.Loads, c clock.Clock) *Loads {
	w := &Loads{source: source, clock: c, limits: sc.Abort, past: map[string]*readings{}, keep: keeping{whole: sc.LongestHold()}}
	for _, l := range sc.Load {
		w.names = append(w.names, l.Name)
	}
	w.keep.counts = w.keep.whole
	for _, l := range sc.Abort {
		w.keep.counts = max(w.keep.counts, l.Window())
	}
	return w
}

// Run takes a sample at every [Interval] until ctx ends. It calls stop once, if a limit is exceeded or the loads cannot be read.
func (w *Loads) Run(ctx context.Context, stop context.CancelCauseFunc) {
	lastRead := w.clock.Now()
	for clock.Pause(ctx, w.clock, Interval) == nil {
		err := w.Sample(ctx)
		now := w.clock.Now()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			lastRead = now
		case now.Sub(lastRead) > maxUnread:
			stop(fmt.Errorf("reading loads for %s: %w", maxUnread, err))
			return
		}
		if exceeded := w.checkLimits(); exceeded != nil {
			stop(exceeded)
			return
		}
	}
}

// Sample reads all loads concurrently, so that one that does not answer does not delay the others.
func (w *Loads) Sample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	failed := make([]error, len(w.names))
	var reading sync.WaitGroup
	for i, name := range w.names {
		reading.Go(func() {
			r, err := w.source.Read(ctx, name)
			if err == nil {
				w.record(name, r)
			}
			failed[i] = err
		})
	}
	reading.Wait()
	return errors.Join(failed...)
}

func (w *Loads) record(name string, r target.LoadReading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.past[name] == nil {
		w.past[name] = &readings{}
	}
	w.past[name].add(r, w.keep)
}

// last returns what a load did in the last d, and whether it has been watched for that long.
func (w *Loads) last(name string, d time.Duration) (over target.LoadReading, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.past[name].last()
	if !ok {
		return target.LoadReading{}, false
	}
	first, ok := w.past[name].before(last.At.Add(-d), time.Time{})
	if !ok {
		return target.LoadReading{}, false
	}
	return last.LoadReading.Sub(first.LoadReading), true
}

// Window returns what a load did in a window of at least hold that ends now and does not start before after. It returns when the window started, or
// why it is not known.
func (w *Loads) Window(name string, hold time.Duration, after time.Time) (over target.LoadReading, started time.Time, unknown string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.past[name].last()
	if !ok {
		return target.LoadReading{}, started, "the load has not been read yet"
	}
	if age := w.clock.Now().Sub(last.At); age > expect.MaxAge {
		return target.LoadReading{}, started, fmt.Sprintf("the load was last read %s ago", age.Round(time.Millisecond))
	}
	first, ok := w.past[name].before(last.At.Add(-hold), after)
	if !ok {
		return target.LoadReading{}, started, fmt.Sprintf("the load has not been watched for %s since the last change", hold)
	}
	over = last.whole().Sub(first.whole())
	if over.Latency == nil && last.OK > first.OK {
		return over, first.At, "the latencies of the load were not read"
	}
	return over, first.At, ""
}

func (w *Loads) checkLimits() error {
	for _, l := range w.limits {
		over, full := w.last(l.Load(), l.Window())
		if !full {
			continue
		}
		if observed, exceeded := l.Exceeded(over); exceeded {
			return &LimitError{l.String(), observed}
		}
	}
	return nil
}
