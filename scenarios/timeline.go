package scenarios

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// timeline is what a viewer can see of the run so far.
type timeline struct {
	clock Clock
	// news has a capacity of 1, so that a slow viewer skips versions and does not slow down the run.
	news chan struct{}

	mu  sync.Mutex
	run telemetry.Run
}

func newTimeline(clock Clock, scenario string) *timeline {
	return &timeline{
		clock: clock, news: make(chan struct{}, 1),
		run: telemetry.Run{Scenario: scenario, Started: clock.Now()},
	}
}

func (t *timeline) phase(name string) {
	t.change(func(r *telemetry.Run) { r.Phase = name })
	t.note("phase", name, "")
}

func (t *timeline) result(result string) {
	t.change(func(r *telemetry.Run) { r.Result = result })
}

func (t *timeline) note(kind, subject, detail string) {
	t.event(telemetry.Event{At: t.clock.Now(), Kind: kind, Subject: subject, Detail: detail})
}

func (t *timeline) event(e telemetry.Event) {
	t.change(func(r *telemetry.Run) {
		e.Seq = uint64(len(r.Timeline)) + 1
		r.Timeline = append(r.Timeline, e)
	})
}

func (t *timeline) change(f func(*telemetry.Run)) {
	t.mu.Lock()
	f(&t.run)
	t.mu.Unlock()
	select {
	case t.news <- struct{}{}:
	default:
	}
}

func (t *timeline) snapshot() telemetry.Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.run
	r.Timeline = slices.Clone(r.Timeline)
	return r
}

// show calls the observer for every change until ctx ends, and once more at the end.
func (t *timeline) show(ctx context.Context, observer func(telemetry.Run)) {
	for {
		select {
		case <-ctx.Done():
			observer(t.snapshot())
			return
		case <-t.news:
			observer(t.snapshot())
		}
	}
}

// ordered sorts events by time, because the event of a breaker can arrive late.
func ordered(events []telemetry.Event, from time.Time) []report.Event {
	slices.SortStableFunc(events, func(a, b telemetry.Event) int { return a.At.Compare(b.At) })
	out := make([]report.Event, len(events))
	for i, e := range events {
		out[i] = report.Event{At: e.At, Seconds: report.Seconds(e.At.Sub(from)), Kind: e.Kind, Subject: e.Subject, Detail: e.Detail}
	}
	return out
}
