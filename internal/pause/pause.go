// Package pause waits: once, between the rounds of regular work, or until a condition is true. Every wait ends with its context.
package pause

import (
	"context"
	"time"
)

// For waits for d. It returns the error of ctx if that ends earlier.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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

// Until calls done at once, and then again after each interval, until it returns true or fails. It returns the error of done, or that of ctx if ctx
// ends between two calls.
func Until(ctx context.Context, interval time.Duration, done func(ctx context.Context) (bool, error)) error {
	for {
		if ok, err := done(ctx); ok || err != nil {
			return err
		}
		if err := For(ctx, interval); err != nil {
			return err
		}
	}
}

// UntilWithin is Until for at most limit. If that time ends, the error is context.DeadlineExceeded.
func UntilWithin(ctx context.Context, interval, limit time.Duration, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return Until(ctx, interval, done)
}
