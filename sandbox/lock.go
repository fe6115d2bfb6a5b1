package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// LockedError reports which command holds the lock of a sandbox.
type LockedError struct {
	// Name is the name of the sandbox. Holder is the command, as far as the lock file names it.
	Name   string
	Holder flock.Holder
}

// Error names the sandbox and the command that holds its lock.
func (e *LockedError) Error() string {
	return fmt.Sprintf("sandbox %q is being changed by %s", e.Name, e.Holder)
}

// Lock takes the lock of a sandbox, which every command holds while it changes the sandbox. The verb is the command line that other commands show
// to the user. The lock is released when the process exits. Its file is outside the sandbox's folder, because `down` removes that folder.
func Lock(f Folders, name, verb string) (unlock func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Config, 0o700); err != nil {
		return nil, remedy.Errorf(remedy.Advice("export XDG_CONFIG_HOME with a folder that can be written"), "locking sandbox %s: %w", name, err)
	}
	l, err := flock.TryAs(context.Background(), f.lock(name), verb)
	var held *flock.HeldError
	switch {
	case errors.As(err, &held):
		return nil, locked(name, verb, held.Holder)
	case err != nil:
		return nil, fmt.Errorf("locking sandbox %s: %w", name, err)
	}
	return func() { _ = l.Remove() }, nil
}

func locked(name, verb string, h flock.Holder) error {
	wait := remedy.Advice("wait for it, or take another sandbox with --name")
	if h.Is("run") && verb == "down" {
		return remedy.Wrap(&LockedError{name, h}, remedy.Command("down", "--stop-run"), wait)
	}
	return remedy.Wrap(&LockedError{name, h}, wait)
}

// CheckUnlocked returns a *LockedError if a command holds the lock of the sandbox. It does not create the lock file.
func CheckUnlocked(f Folders, name, verb string) error {
	if h, held := Holder(f, name); held {
		return locked(name, verb, h)
	}
	return nil
}

// Holder returns the command that holds the lock of a sandbox, and false if there is none.
func Holder(f Folders, name string) (flock.Holder, bool) { return flock.HolderOf(f.lock(name)) }

func (f Folders) lock(name string) string { return filepath.Join(f.Config, name+".lock") }
