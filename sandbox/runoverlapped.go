package sandbox

import (
	"context"
	"sync"
)

// runOverlapped runs first, and runs next concurrently as soon as first calls ready, or when first returns. If first fails, next is cancelled. If
// next fails, first still runs to completion, so that it leaves a complete result.
func runOverlapped(ctx context.Context, first func(ctx context.Context, ready func()) error, next func(context.Context) error) error {
	nextCtx, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	markReady := sync.OnceFunc(func() { close(ready) })
	go func() {
		err := first(ctx, markReady)
		if err != nil {
			stop()
		}
		markReady()
		ended <- err
	}()
	<-ready
	err := nextCtx.Err()
	if err == nil {
		err = next(nextCtx)
	}
	if failed := <-ended; failed != nil {
		return failed
	}
	return err
}
