package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/flock"
)

// Journal is a directory, Dir, with a file for each run in progress. The process of the run locks the file. A file without a lock belongs to a run that was
// killed.
type Journal struct{ Dir string }

// Start records a run until remove is called.
func (j Journal) Start(run string) (remove func() error, err error) {
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("recording the run: %w", err)
	}
	hidden, path := filepath.Join(j.Dir, "."+run), filepath.Join(j.Dir, run)
	l, err := flock.TryNew(hidden)
	if err != nil {
		return nil, fmt.Errorf("recording the run: %w", err)
	}
	// The file becomes visible only once it is locked.
	if err := os.Rename(hidden, path); err != nil {
		return nil, errors.Join(fmt.Errorf("recording the run: %w", err), l.Remove())
	}
	return func() error { return errors.Join(os.Remove(path), l.Unlock()) }, nil
}

// Killed calls cleanUp for each run whose process is gone, and removes the record if cleanUp returns true.
func (j Journal) Killed(cleanUp func(run string) bool) error {
	entries, err := os.ReadDir(j.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the records of earlier runs: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := j.ifKilled(e.Name(), cleanUp); err != nil {
			return fmt.Errorf("reading the records of earlier runs: %w", err)
		}
	}
	return nil
}

func (j Journal) ifKilled(run string, cleanUp func(run string) bool) error {
	l, err := flock.TryExisting(filepath.Join(j.Dir, run))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, flock.ErrHeld) {
		// The run has just ended, or is in progress.
		return nil
	}
	if err != nil {
		return err
	}
	if !cleanUp(run) {
		return l.Unlock()
	}
	return l.Remove()
}
