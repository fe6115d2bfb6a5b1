package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// LockedError says who is changing the sandbox right now.
type LockedError struct{ Name, Holder string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("sandbox %s is being changed by %s\ntry: wait for it, or take another sandbox with --name", e.Name, e.Holder)
}

// lock keeps two commands from changing one sandbox at the same time. It goes with the process, so a kill leaves none behind.
func lock(f Folders, name, verb string) (unlock func(), err error) {
	if err := os.MkdirAll(f.Config, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(f.Config, name+".lock")
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("locking sandbox %s: %w", name, err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			holder, _ := io.ReadAll(file)
			file.Close()
			if len(holder) == 0 { // it has the lock, and is about to say who it is
				holder = []byte("another command")
			}
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, &LockedError{Name: name, Holder: string(holder)}
			}
			return nil, fmt.Errorf("locking sandbox %s: %w", name, err)
		}
		if !sameFile(file, path) { // the holder before us removed it between our open and our lock
			file.Close()
			continue
		}
		text := fmt.Sprintf("`sandbox %s`, process %d, since %s", verb, os.Getpid(), time.Now().Format(time.TimeOnly))
		if err := errors.Join(file.Truncate(0), writeAt(file, text)); err != nil {
			file.Close()
			return nil, fmt.Errorf("locking sandbox %s: %w", name, err)
		}
		return func() {
			os.Remove(path)
			file.Close()
		}, nil
	}
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func sameFile(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}
