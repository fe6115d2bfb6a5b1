// Package flock keeps processes of one machine from doing the same thing at the same time.
//
// A lock belongs to a process and ends with it, kill -9 included, so a lock is never stale. The garbage collector does not release it. A [Lock] may
// be removed together with its file while others wait for it: a process that has opened the removed file notices that and locks the new file
// instead.
package flock

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// ErrHeld means that another process, or another Lock of this one, has the lock.
var ErrHeld = errors.New("another process has the lock")

// Lock is a lock that this process has.
type Lock struct {
	path string
	file *flock.Flock
}

// locked contains every Lock that was not unlocked. Without it, the finalizer of an unreferenced file would close the file and so release the lock.
var locked sync.Map

// Try locks the file at path, which it creates if necessary. It does not wait: if the lock is taken it returns ErrHeld.
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
		// The previous holder removed the file after we opened it and before we locked it.
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

// poll is the interval at which Wait retries. A blocking wait of the operating system could not be cancelled.
const poll = 50 * time.Millisecond

// Wait is Try that waits until the lock is free or ctx ends.
func Wait(ctx context.Context, path string) (*Lock, error) {
	var l *Lock
	err := pause.Until(ctx, poll, func(context.Context) (bool, error) {
		var err error
		if l, err = Try(path); errors.Is(err, ErrHeld) {
			return false, nil
		}
		return true, err
	})
	return l, err
}

// Unlock releases the lock and keeps its file.
func (l *Lock) Unlock() error {
	locked.Delete(l)
	return l.file.Unlock()
}

// Remove removes the file and releases the lock.
func (l *Lock) Remove() error { return errors.Join(os.Remove(l.path), l.Unlock()) }
