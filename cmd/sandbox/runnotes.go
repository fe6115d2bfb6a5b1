package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/flock"
)

// runNotes is a folder with a file for each run that is under way, locked by its process: a file that nobody locks is of a run that was
// killed, and has something to take back.
type runNotes struct{ dir string }

// keep notes a run until forget, or until its process is gone.
func (n runNotes) keep(run string) (forget func() error, err error) {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, fmt.Errorf("noting the run: %w", err)
	}
	hidden, path := filepath.Join(n.dir, "."+run), filepath.Join(n.dir, run)
	l, err := flock.TryNew(hidden)
	if err != nil {
		return nil, fmt.Errorf("noting the run: %w", err)
	}
	if err := os.Rename(hidden, path); err != nil { // it is seen once it is locked
		return nil, errors.Join(fmt.Errorf("noting the run: %w", err), l.Remove())
	}
	return func() error { return errors.Join(os.Remove(path), l.Unlock()) }, nil
}

// killed calls takeBack for each run whose process is gone, and forgets those for which it returns true.
func (n runNotes) killed(takeBack func(run string) bool) error {
	entries, err := os.ReadDir(n.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the notes of earlier runs: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := n.ifKilled(e.Name(), takeBack); err != nil {
			return fmt.Errorf("reading the notes of earlier runs: %w", err)
		}
	}
	return nil
}

func (n runNotes) ifKilled(run string, takeBack func(run string) bool) error {
	l, err := flock.TryExisting(filepath.Join(n.dir, run))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, flock.ErrHeld) {
		return nil // it has just ended, or is under way
	}
	if err != nil {
		return err
	}
	if !takeBack(run) {
		return l.Unlock()
	}
	return l.Remove()
}
