package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/tui"
)

// runTeller prints a run's timeline, each line once, as it grows.
type runTeller struct {
	w       world
	on      bool
	mu      sync.Mutex
	printed int
	latest  telemetry.Run
}

func newRunTeller(w world, on bool) *runTeller { return &runTeller{w: w, on: on} }

// screenLeft prints the timeline of a run whose screen is gone, for whatever reason: the report does not repeat it.
func (t *runTeller) screenLeft(err error, interrupt func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = true
	if errors.Is(err, tui.ErrInterrupted) {
		interrupt()
	} else if err != nil {
		fmt.Fprintln(t.w.stderr, "sandbox:", err)
	}
	t.print()
}

func (t *runTeller) tell(r telemetry.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = r
	if t.on {
		t.print()
	}
}

// print prints what was not printed before; the lock must be held.
func (t *runTeller) print() {
	r := t.latest
	for ; t.printed < len(r.Timeline); t.printed++ {
		fmt.Fprint(t.w.stderr, scenarios.TimelineLine(r.Timeline[t.printed], r.Started))
	}
}

// screenStays is how long a screen may take to show the end of a run that it watched.
const screenStays = 5 * time.Second

// beside does a run with a screen beside it. A screen that never hears of the run's end, or shows another run than the one that was refused, is
// taken away.
func (t *runTeller) beside(ctx context.Context, show func(context.Context) error, run func(context.Context) (scenarios.Report, error)) (scenarios.Report, error) {
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	screen, leave := context.WithCancel(ctx)
	defer leave()
	var watching sync.WaitGroup
	watching.Go(func() { t.screenLeft(show(screen), interrupt) })
	report, err := run(ctx)
	if err != nil {
		leave()
	}
	defer time.AfterFunc(screenStays, leave).Stop()
	watching.Wait()
	return report, err
}
