package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	f, err := os.OpenFile(hidden, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("noting the run: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = os.Rename(hidden, path) // it is seen once it is locked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("noting the run: %w", err), f.Close(), os.Remove(hidden))
	}
	return func() error { return errors.Join(os.Remove(path), f.Close()) }, nil
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
	path := filepath.Join(n.dir, run)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has just ended
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	} else if err != nil {
		return err
	}
	if !takeBack(run) {
		return nil
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
