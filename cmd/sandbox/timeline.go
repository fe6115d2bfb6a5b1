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

// timelinePrinter prints the timeline of a run as it grows, each line once.
type timelinePrinter struct {
	proc    process
	on      bool
	mu      sync.Mutex
	printed int
	latest  telemetry.Run
}

func newTimelinePrinter(proc process, on bool) *timelinePrinter {
	return &timelinePrinter{proc: proc, on: on}
}

// screenLeft is called when the screen of a run has ended with err. It prints the timeline so far, which the report does not repeat, and interrupts
// the run if the user pressed Ctrl-C.
func (t *timelinePrinter) screenEnded(err error, interrupt func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = true
	if errors.Is(err, tui.ErrInterrupted) {
		interrupt()
	} else if err != nil {
		fmt.Fprintln(t.proc.stderr, "sandbox:", err)
	}
	t.print()
}

func (t *timelinePrinter) update(r telemetry.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = r
	if t.on {
		t.print()
	}
}

// print prints the lines that were not printed before. The caller must hold the lock.
func (t *timelinePrinter) print() {
	r := t.latest
	for ; t.printed < len(r.Timeline); t.printed++ {
		fmt.Fprint(t.proc.stderr, scenarios.TimelineLine(r.Timeline[t.printed], r.Started))
	}
}

// screenTimeout is how long the screen may take to show the end of the run.
const screenTimeout = 5 * time.Second

// runWithScreen runs a scenario while a screen is shown. It closes the screen immediately if the run fails, because the screen may show another
// run, and after screenTimeout otherwise.
func (t *timelinePrinter) runWithScreen(ctx context.Context, show func(context.Context) error, run func(context.Context) (scenarios.Report, error)) (scenarios.Report, error) {
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	screen, leave := context.WithCancel(ctx)
	defer leave()
	var watching sync.WaitGroup
	watching.Go(func() { t.screenEnded(show(screen), interrupt) })
	report, err := run(ctx)
	if err != nil {
		leave()
	}
	defer time.AfterFunc(screenTimeout, leave).Stop()
	watching.Wait()
	return report, err
}
