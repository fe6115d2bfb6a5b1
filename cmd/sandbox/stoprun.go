package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

const (
	// runEnds is how long a run may take to clean up after it was interrupted: the engine's own limits, and some more.
	runEnds = 3 * time.Minute
	runPoll = 100 * time.Millisecond
)

// stopRun interrupts the run that is under way, as Ctrl-C does, and waits until it has cleaned up. Without one it does nothing.
func stopRun(ctx context.Context, w world, folders sandbox.Folders, name string) error {
	h, held := sandbox.Holder(folders, name)
	if !held || !h.Is("run") {
		return nil // another command is named by who is refused
	}
	run, err := os.FindProcess(h.PID)
	if err != nil {
		return fmt.Errorf("stopping %s: %w", h, err)
	}
	defer run.Release() //nolint:errcheck // there is nothing to do about it
	// Now that the process is held, its number cannot have become another's if it still has the lock.
	if now, held := sandbox.Holder(folders, name); !held || now.PID != h.PID || !now.Since.Equal(h.Since) {
		return nil
	}
	fmt.Fprintf(w.stderr, "stopping %s\n", h)
	if err := run.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", h, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runEnds, errRunStays)
	defer cancel()
	for {
		if now, held := sandbox.Holder(folders, name); !held || now.PID != h.PID {
			return nil
		}
		select {
		case <-ctx.Done():
			return remedy.Wrap(fmt.Errorf("waiting for %s to clean up: %w", h, context.Cause(ctx)), remedy.Advice(fmt.Sprintf("kill -9 %d, then down again", h.PID)))
		case <-time.After(runPoll):
		}
	}
}

var errRunStays = fmt.Errorf("it has not ended after %s", runEnds)
