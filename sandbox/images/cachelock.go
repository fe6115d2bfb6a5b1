package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how soon a lock that another process gave back is noticed; the system's own waiting cannot be stopped.
const lockPoll = 50 * time.Millisecond

// errLocked means that another process has the lock.
var errLocked = errors.New("another process has the lock")

// lock keeps a second process from sweeping what this one is writing. One that pulls an image has it for as long as that takes.
func (c *Cache) lock(ctx context.Context) (unlock func(), err error) {
	for {
		unlock, err := c.tryLock()
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another process that writes to the image cache: %w", ctx.Err())
		}
	}
}

func (c *Cache) tryLock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(c.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	return flock(f)
}

// flock locks f, which unlock closes, or closes it itself.
func flock(f *os.File) (unlock func(), err error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// lockFolder says that a scratch folder is in use, for as long as this process lives or until unlock.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return flock(f)
}
