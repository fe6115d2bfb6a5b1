package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const inTheFault = "scale userservice from 3 to 0"

// faultyRun is a fake-run that has injected its fault and not cleaned up yet.
type faultyRun struct {
	*exec.Cmd
	home string
}

func newFaultyRun(t *testing.T, program ...string) *faultyRun {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "XDG_STATE_HOME=", "FAKE_CLUSTER="+filepath.Join(home, "replicas"))
	if err := os.WriteFile(filepath.Join(home, "replicas"), []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &faultyRun{cmd, home}
}

func (r *faultyRun) start(t *testing.T, output io.Reader) {
	t.Helper()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), inTheFault) {
			return
		}
	}
	t.Fatalf("it ended before the fault: %v", r.Wait())
}

// ends waits for the end of the run, and checks that only its report is left.
func (r *faultyRun) ends(t *testing.T, code int) {
	t.Helper()
	r.cleanedUp(t, code)
	if _, err := os.Stat(filepath.Join(r.home, ".config/sandbox/sandbox.lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock: %v", err)
	}
}

func (r *faultyRun) cleanedUp(t *testing.T, code int) {
	t.Helper()
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := r.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d (%v), want %d", got, err, code)
	}
	if n, err := os.ReadFile(filepath.Join(r.home, "replicas")); err != nil || string(n) != "3" {
		t.Errorf("replicas %s, %v", n, err)
	}
	if left, _ := filepath.Glob(filepath.Join(r.home, ".config/sandbox/sandbox/runs/*")); len(left) > 0 {
		t.Errorf("journals left: %v", left)
	}
	if reports, _ := filepath.Glob(filepath.Join(r.home, ".local/state/sandbox/sandbox/reports/fake-*/report.json")); len(reports) != 1 {
		t.Errorf("reports: %v", reports)
	}
}

func TestRun_ReaderOfOutputExits(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	run := newFaultyRun(t, "fake-run")
	// This is like `sandbox run 2>&1 | head`.
	run.Stdout, run.Stderr = write, write
	run.start(t, closing(t, read, write))
	read.Close()
	run.ends(t, 0)
}

// closing returns a reader that closes this process's write end at the first read, when the child has been started.
func closing(t *testing.T, read, write *os.File) io.Reader {
	t.Helper()
	return readerFunc(func(p []byte) (int, error) {
		write.Close()
		return read.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRun_StandardOutputWithoutReader(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	run := newFaultyRun(t, "fake-run")
	run.Stdout = write
	stderr, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.start(t, stderr)
	_, _ = io.Copy(io.Discard, stderr)
	run.ends(t, 0)
}

func TestRun_Signals(t *testing.T) {
	for _, c := range []struct {
		sentence string
		program  []string
		signals  []os.Signal
		code     int
	}{
		{"the terminal is closed, which may send SIGHUP twice", []string{"fake-run"}, []os.Signal{syscall.SIGHUP, syscall.SIGHUP}, 130},
		{"nohup", []string{"nohup", "fake-run"}, []os.Signal{syscall.SIGHUP}, 0},
		{"a supervisor that sends both", []string{"fake-run"}, []os.Signal{syscall.SIGTERM, syscall.SIGHUP}, 130},
		{"Ctrl-C", []string{"fake-run"}, []os.Signal{os.Interrupt}, 130},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			run := newFaultyRun(t, c.program...)
			stderr, err := run.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			run.start(t, stderr)
			for _, s := range c.signals {
				if err := run.Process.Signal(s); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.Copy(io.Discard, stderr)
			run.ends(t, c.code)
		})
	}
}

func TestRun_TerminalIsClosed(t *testing.T) {
	t.Parallel()
	ours, theirs := terminalPair(t)
	run := newFaultyRun(t, "fake-run")
	run.Stdin, run.Stdout, run.Stderr = theirs, theirs, theirs
	run.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	run.start(t, closing(t, ours, theirs))
	// The kernel sends SIGHUP, and writes fail from now on.
	ours.Close()
	run.ends(t, 130)
}

func terminalPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func TestWithSignals_ChildrenDoNotIgnoreSIGPIPE(t *testing.T) {
	withSignals(func(ctx context.Context, _ <-chan struct{}) int {
		err := exec.CommandContext(ctx, "/bin/sh", "-c", "kill -PIPE $$; echo it survived").Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE {
			t.Errorf("the child ended with %v", err)
		}
		return 0
	})
}

func TestExplainSlowStop_NamesTheSandbox(t *testing.T) {
	slow := make(chan struct{})
	close(slow)
	var out strings.Builder
	proc := process{stdout: io.Discard, stderr: &out, getenv: func(string) string { return "" }, slow: slow}
	root := newRoot(proc)
	printed := make(chan struct{})
	root.AddCommand(&cobra.Command{Use: "wait", RunE: func(*cobra.Command, []string) error {
		<-printed
		return nil
	}})
	proc.stderr = writerFunc(func(p []byte) (int, error) {
		defer close(printed)
		return out.Write(p)
	})
	end := explainSlowStop(root, proc)
	root.SetArgs([]string{"wait", "--name", "blue"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	end()
	if want := "then run `sandbox undo --name blue` to undo"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in %q", want, out.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
