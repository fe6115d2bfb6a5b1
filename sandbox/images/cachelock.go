package images

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/internal/flock"
)

// lock keeps a second process from sweeping what this one is writing. One that pulls an image has it for as long as that takes.
func (c *Cache) lock(ctx context.Context) (unlock func(), err error) {
	l, err := flock.Wait(ctx, c.lockFile())
	if ctx.Err() != nil && err != nil {
		return nil, fmt.Errorf("waiting for another process that writes to the image cache: %w", ctx.Err())
	}
	return release(l), err
}

// tryLock returns flock.ErrHeld when another process has the lock.
func (c *Cache) tryLock() (unlock func(), err error) {
	l, err := flock.Try(c.lockFile())
	return release(l), err
}

func (c *Cache) lockFile() string { return filepath.Join(c.dir, "lock") }

// lockFolder marks a scratch folder as in use, for as long as this process lives or until unlock.
func lockFolder(dir string) (unlock func(), err error) {
	l, err := flock.TryExisting(dir)
	return release(l), err
}

// release gives back a lock; there is nothing to do about a failure, and the lock ends with the process.
func release(l *flock.Lock) func() { return func() { _ = l.Unlock() } }
