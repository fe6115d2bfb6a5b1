package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
)

// lock keeps a second run off the same sandbox: each would spoil the other's measurements and undo the other's steps.
// The operating system lets go of it when the process ends, kill -9 included.
func lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the sandbox: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, &HintError{fmt.Errorf("locking the sandbox: another run is using it: %w", err), "wait for that run, or stop it with Ctrl-C"}
	}
	return f.Close, nil
}
