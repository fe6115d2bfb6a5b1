package sandbox

import (
	"context"
	"sync"
)

// overlapping runs before, and next beside it from the moment at which before calls ready, or after it. Where before fails, next is stopped.
// Where next fails, before still comes to its end: what it makes is then whole.
func overlapping(ctx context.Context, before func(ctx context.Context, ready func()) error, next func(context.Context) error) error {
	nextCtx, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	begin := sync.OnceFunc(func() { close(ready) })
	go func() {
		err := before(ctx, begin)
		if err != nil {
			stop()
		}
		begin()
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
