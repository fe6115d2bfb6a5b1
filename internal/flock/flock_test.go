package flock

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func lockFile(t *testing.T) string { return filepath.Join(t.TempDir(), "lock") }

func mustLock(t *testing.T, path, verb string) *Lock {
	t.Helper()
	l, err := TryAs(t.Context(), path, verb)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func holder(t *testing.T, path string) Holder {
	t.Helper()
	l, err := TryAs(t.Context(), path, "second")
	var held *HeldError
	if !errors.As(err, &held) || !errors.Is(err, ErrHeld) {
		if l != nil {
			_ = l.Unlock()
		}
		t.Fatalf("got %v, want a HeldError", err)
	}
	return held.Holder
}

func TestTryAs_HeldNamesHolder(t *testing.T) {
	path := lockFile(t)
	l := mustLock(t, path, "run mine")
	h := holder(t, path)
	if h.PID != os.Getpid() || !h.Is("run") || h.Is("ru") || h.Is("up") || time.Since(h.Since) > time.Minute {
		t.Errorf("holder %+v", h)
	}
	if text := h.String(); !strings.HasPrefix(text, "`sandbox run mine`, process ") {
		t.Errorf("it reads %q", text)
	}
	if now, held := HolderOf(path); !held || now.PID != h.PID {
		t.Errorf("HolderOf: %+v, %v", now, held)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if now, held := HolderOf(path); held {
		t.Errorf("after it was removed, HolderOf: %+v", now)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := mustLock(t, path, "up").Unlock(); err != nil {
		t.Error(err)
	}
}

func TestTryAs_HolderWithoutName(t *testing.T) {
	for what, content := range map[string]string{"not written yet": "", "of another version": "`sandbox up`, process 7"} {
		path := lockFile(t)
		l := mustLock(t, path, "up")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if h := holder(t, path); h.String() != "another command" || h.Is("up") {
			t.Errorf("%s: %q", what, h)
		}
		_ = l.Unlock()
	}
}

func TestTryAs_ReplacesNameOfDeadHolder(t *testing.T) {
	path := lockFile(t)
	if err := os.WriteFile(path, []byte(`{"verb":"run `+strings.Repeat("dead ", 100)+`","pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	defer mustLock(t, path, "up").Unlock() //nolint:errcheck // the end of the test
	if h := holder(t, path); h.Verb != "up" {
		t.Errorf("holder %+v", h)
	}
}

func TestTryAs_FullDiskStillLocks(t *testing.T) {
	l, err := TryAs(t.Context(), "/dev/full", "down")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestTry_GarbageCollectorDoesNotUnlock(t *testing.T) {
	path := lockFile(t)
	mustLock(t, path, "run")
	for range 3 {
		runtime.GC()
		runtime.Gosched()
	}
	if h := holder(t, path); h.PID != os.Getpid() {
		t.Errorf("holder %+v", h)
	}
}

func TestTry_LockEndsWithItsProcess(t *testing.T) {
	const in = "FLOCK_TEST_LOCK"
	if path := os.Getenv(in); path != "" {
		mustLock(t, path, "run")
		_, _ = os.Stdout.WriteString("locked\n")
		// Blocking in `select {}` would end a process without cgo: every goroutine is asleep.
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	path := lockFile(t)
	child := exec.Command(os.Args[0], "-test.run=^TestTry_LockEndsWithItsProcess$")
	child.Env = append(os.Environ(), in+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Errorf("the child says %q", line)
	}
	h := holder(t, path)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// It returns "signal: killed".
	_ = child.Wait()
	if h.PID != child.Process.Pid {
		t.Errorf("holder %+v, want process %d", h, child.Process.Pid)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a killed process leaves its file: %v", err)
	}
	if _, held := HolderOf(path); held {
		t.Error("a dead process has the lock")
	}
	defer mustLock(t, path, "up").Unlock() //nolint:errcheck // the end of the test
	if h := holder(t, path); h.PID != os.Getpid() {
		t.Errorf("holder %+v", h)
	}
}

func TestTry_OneHolderWhileFilesAreRemoved(t *testing.T) {
	path := lockFile(t)
	var holders, most, times atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				l, err := Try(path)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				times.Add(1)
				if n := holders.Add(1); n > 1 {
					most.Store(n)
				}
				runtime.Gosched()
				holders.Add(-1)
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if most.Load() > 1 || times.Load() == 0 {
		t.Errorf("%d had it at the same time; it was taken %d times", most.Load(), times.Load())
	}
}

func TestTryExisting_FoldersAndMissingFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := TryExisting(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	l, err := TryExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryExisting(dir); !errors.Is(err, ErrHeld) {
		t.Errorf("the second lock of a folder: %v", err)
	}
	_ = l.Unlock()
	if _, err := TryNew(dir); !errors.Is(err, os.ErrExist) {
		t.Errorf("a new file where there is one: %v", err)
	}
}

func TestWait_EndsWithContext(t *testing.T) {
	path := lockFile(t)
	l, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Wait(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = l.Unlock() })
	if _, err := Wait(t.Context(), path); err != nil {
		t.Error(err)
	}
}
