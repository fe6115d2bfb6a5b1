// Package flock keeps processes of one machine from doing the same thing at the same time.
//
// A lock belongs to a process and ends with it, kill -9 included, so a lock is never stale; the garbage collector does not release it. A [Lock] may be removed together with its file while
// others wait for it: a process that has opened the removed file notices that and locks its successor.
package flock

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrHeld means that another process, or another Lock of this one, has the lock.
var ErrHeld = errors.New("another process has the lock")

// Lock is a lock that this process has.
type Lock struct {
	path string
	file *flock.Flock
}

// locked has every Lock that was not unlocked. Without it the file of one that nobody refers to is closed, and so unlocked, by its finalizer.
var locked sync.Map

// Try locks the file at path, which it creates. It returns ErrHeld at once when the lock is taken.
func Try(path string) (*Lock, error) { return try(path, os.O_CREATE|os.O_RDONLY) }

// TryExisting is Try for a file or a folder that must exist.
func TryExisting(path string) (*Lock, error) { return try(path, os.O_RDONLY) }

// TryNew is Try for a file that must not exist.
func TryNew(path string) (*Lock, error) { return try(path, os.O_CREATE|os.O_EXCL|os.O_RDWR) }

func try(path string, flag int) (*Lock, error) {
	for {
		f := flock.New(path, flock.SetFlag(flag))
		ok, err := f.TryLock()
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, ErrHeld
		case isAt(f, path):
			l := &Lock{path, f}
			locked.Store(l, nil)
			return l, nil
		}
		// The holder before us removed the file between our open and our lock.
		if err := f.Unlock(); err != nil {
			return nil, err
		}
	}
}

func isAt(f *flock.Flock, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// poll is how soon a waiting process notices that a lock is free. A wait of the operating system cannot be cancelled.
const poll = 50 * time.Millisecond

// Wait is Try that waits until the lock is free or ctx ends.
func Wait(ctx context.Context, path string) (*Lock, error) {
	for {
		l, err := Try(path)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(poll):
		}
	}
}

// Unlock gives the lock back and leaves its file.
func (l *Lock) Unlock() error {
	locked.Delete(l)
	return l.file.Unlock()
}

// Remove removes the file and gives the lock back.
func (l *Lock) Remove() error { return errors.Join(os.Remove(l.path), l.Unlock()) }
