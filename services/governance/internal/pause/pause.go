// Package pause lets a call wait.
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
