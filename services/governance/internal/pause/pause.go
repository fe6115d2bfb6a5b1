// Package pause waits: once, or between the rounds of regular work.
package pause

import (
	"context"
	"time"

	"google.golang.org/grpc/status"
)

// For waits for d. It returns the status of the context if that ends earlier.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// Every calls do once per interval, the first time after one interval, until ctx ends or do fails. It returns the error of do; the end of ctx is not
// an error.
func Every(ctx context.Context, interval time.Duration, do func(ctx context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := do(ctx); err != nil {
				return err
			}
		}
	}
}
