package pgtest

import (
	"context"
	"time"
)

// poll calls done until it returns true, with a pause of interval between two calls. It returns false if ctx ends first.
func poll(ctx context.Context, interval time.Duration, done func() bool) bool {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}
