package images

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/internal/flock"
)

// lock prevents another process from sweeping what this one is writing. A process that pulls an image holds it for the whole pull.
func (c *Cache) lock(ctx context.Context) (unlock func(), err error) {
	l, err := flock.Wait(ctx, c.lockFile())
	if ctx.Err() != nil && err != nil {
		return nil, fmt.Errorf("waiting for another process that writes to the image cache: %w", ctx.Err())
	}
	return release(l), err
}

// tryLock returns flock.ErrHeld if another process has the lock.
func (c *Cache) tryLock() (unlock func(), err error) {
	l, err := flock.Try(c.lockFile())
	return release(l), err
}

func (c *Cache) lockFile() string { return filepath.Join(c.dir, "lock") }

// lockFolder marks a scratch folder as in use until unlock is called or this process exits.
func lockFolder(dir string) (unlock func(), err error) {
	l, err := flock.TryExisting(dir)
	return release(l), err
}

// release returns a function that releases a lock. It ignores errors, because the lock ends with the process anyway.
func release(l *flock.Lock) func() { return func() { _ = l.Unlock() } }
