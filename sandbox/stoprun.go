package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const (
	// runEnds is how long a run may take to clean up after an interrupt: the limits of package scenarios and a reserve.
	runEnds = 3 * time.Minute
	runPoll = 100 * time.Millisecond
)

// StopRun interrupts the current run of a scenario, as Ctrl-C does, and waits until it has cleaned up. stopping is called before the run is
// interrupted. Without a run, StopRun does nothing.
func StopRun(ctx context.Context, folders Folders, name string, stopping func(holder string)) error {
	h, held := Holder(folders, name)
	if !held || !h.Is("run") {
		// Another command that has the lock is reported when the caller tries to take it.
		return nil
	}
	run, err := os.FindProcess(h.PID)
	if err != nil {
		return fmt.Errorf("stopping %s: %w", h, err)
	}
	defer run.Release() //nolint:errcheck // a failure to release has no consequence
	// From FindProcess on the handle refers to one process. If it still has the lock, its id was not reused.
	if now, held := Holder(folders, name); !held || now.PID != h.PID || !now.Since.Equal(h.Since) {
		return nil
	}
	stopping(h.String())
	if err := run.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", h, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runEnds, errRunStays)
	defer cancel()
	err = pause.Until(ctx, runPoll, func(context.Context) (bool, error) {
		now, held := Holder(folders, name)
		return !held || now.PID != h.PID, nil
	})
	if err != nil {
		return remedy.Wrap(fmt.Errorf("waiting for %s to clean up: %w", h, context.Cause(ctx)), remedy.Advicef("%s, then %s", remedy.Shell("kill", "-9", strconv.Itoa(h.PID)), remedy.Command("down")))
	}
	return nil
}

var errRunStays = fmt.Errorf("it has not ended after %s", runEnds)
