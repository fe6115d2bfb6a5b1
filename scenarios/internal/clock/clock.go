// Package clock is the time of a run, so that a test can supply its own.
package clock

import (
	"context"
	"time"
)

// Clock is the source of time.
type Clock interface {
	// Now returns the present time.
	Now() time.Time
	// After returns a channel that receives the time after d.
	After(d time.Duration) <-chan time.Time
}

// Wall is the clock of this machine.
type Wall struct{}

// Now returns the current time.
func (Wall) Now() time.Time { return time.Now() }

// After sends the time once d has passed.
func (Wall) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Pause waits for d. If ctx ends first, it returns the cause.
func Pause(ctx context.Context, c Clock, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.After(d):
		return nil
	}
}
