package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestTheSecondLockSaysWhoHoldsIt(t *testing.T) {
	f := newFolders(t)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(f, "one", "down")
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Name != "one" {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"`sandbox up`", fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(locked.Holder, part) {
			t.Errorf("holder %q does not say %q", locked.Holder, part)
		}
	}
	fixture.WantError(t, err, "sandbox one is being changed by "+locked.Holder, "\ntry: wait for it")

	other, err := lock(f, "two", "up")
	if err != nil {
		t.Fatalf("another sandbox is locked too: %v", err)
	}
	other()
	unlock()
	again, err := lock(f, "one", "down")
	if err != nil {
		t.Fatalf("unlocked, it is still locked: %v", err)
	}
	again()
	if left, _ := filepath.Glob(filepath.Join(f.Config, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAHolderThatHasNotSaidItsNameYet(t *testing.T) {
	f := newFolders(t)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := os.Truncate(filepath.Join(f.Config, "one.lock"), 0); err != nil {
		t.Fatal(err)
	}
	_, err = lock(f, "one", "down")
	fixture.WantError(t, err, "is being changed by another command")
}

func TestALockGoesWithItsProcess(t *testing.T) {
	const folder = "SANDBOX_TEST_LOCK_FOLDER"
	if dir := os.Getenv(folder); dir != "" {
		if _, err := lock(Folders{Config: dir}, "one", "run"); err != nil {
			t.Fatal(err)
		}
		fmt.Println("locked")
		select {} // until it is killed
	}
	f := newFolders(t)
	holder := exec.Command(os.Args[0], "-test.run=^TestALockGoesWithItsProcess$")
	holder.Env = append(os.Environ(), folder+"="+f.Config)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Errorf("the holder says %q", line)
	}
	_, held := lock(f, "one", "up")
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // "signal: killed"
	fixture.WantError(t, held, fmt.Sprintf("process %d", holder.Process.Pid))
	if _, err := os.Stat(filepath.Join(f.Config, "one.lock")); err != nil {
		t.Errorf("a killed process leaves its file: %v", err)
	}
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatalf("a dead process still holds the lock: %v", err)
	}
	defer unlock()
	_, err = lock(f, "one", "down")
	fixture.WantError(t, err, fmt.Sprintf("process %d", os.Getpid()))
	if strings.Contains(err.Error(), fmt.Sprintf("process %d,", holder.Process.Pid)) {
		t.Errorf("the dead holder is named: %v", err)
	}
}

func TestALongerNoteOfADeadHolderIsGone(t *testing.T) {
	f := newFolders(t)
	fixture.Write(t, filepath.Join(f.Config, "one.lock"), strings.Repeat("dead ", 100), 0o600)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = lock(f, "one", "down")
	if err == nil || strings.Contains(err.Error(), "dead") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyOneHoldsTheLock(t *testing.T) {
	f := newFolders(t)
	var holders, most, times atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				unlock, err := lock(f, "one", "up")
				if err != nil {
					var locked *LockedError
					if !errors.As(err, &locked) {
						t.Error(err)
					}
					continue
				}
				times.Add(1)
				if n := holders.Add(1); n > 1 {
					most.Store(n)
				}
				runtime.Gosched()
				holders.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if most.Load() > 1 || times.Load() == 0 {
		t.Errorf("%d held it at once; it was held %d times", most.Load(), times.Load())
	}
}
