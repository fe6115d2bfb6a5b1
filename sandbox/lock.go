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

// LockedError says which command is changing the sandbox right now.
type LockedError struct {
	Name   string
	Holder flock.Holder
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("sandbox %s is being changed by %s", e.Name, e.Holder)
}

// Lock is the one lock of a sandbox: every command that changes it has it while it does. verb is the command line that the others will read.
// The lock ends with the process. Its file lies outside of the sandbox's folder, which `down` removes.
func Lock(f Folders, name, verb string) (unlock func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Config, 0o700); err != nil {
		return nil, fmt.Errorf("locking sandbox %s: %w", name, err)
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

// CheckUnlocked returns a LockedError when a command is changing the sandbox, and leaves no trace.
func CheckUnlocked(f Folders, name, verb string) error {
	if h, held := Holder(f, name); held {
		return locked(name, verb, h)
	}
	return nil
}

// Holder returns which command is changing a sandbox now; false when none is.
func Holder(f Folders, name string) (flock.Holder, bool) { return flock.HolderOf(f.lock(name)) }

func (f Folders) lock(name string) string { return filepath.Join(f.Config, name+".lock") }
