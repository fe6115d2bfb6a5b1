package images

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

func TestRun_CancelledCommandCleansUp(t *testing.T) {
	dir := t.TempDir()
	ready, tidy := filepath.Join(dir, "ready"), filepath.Join(dir, "tidy")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		// A shell runs its trap only after the program it waits for has exited, so the signal must reach the whole group. That program therefore reports
		// that it is running.
		script := "trap 'echo done > " + tidy + "; exit 143' TERM; sh -c 'echo ready > " + ready + "; exec sleep 60'"
		ended <- (&Workshop{}).run(exec.CommandContext(ctx, "sh", "-c", script))
	}()
	waitForText(t, ready, "ready")
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it says that it succeeded")
		}
	case <-time.After(commandGrace / 2):
		t.Fatal("it is still running")
	}
	if !exists(tidy) {
		t.Error("it was killed before it could tidy up")
	}
}

func TestRun_KillsTheProcessesOfAFailedCommand(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	script := "sleep 60 >/dev/null 2>&1 & echo $! > " + pid + "; exit 3"
	wantError(t, (&Workshop{}).run(exec.CommandContext(t.Context(), "sh", "-c", script)), nil, "exit status 3")
	proc := "/proc/" + strings.TrimSpace(waitForText(t, pid, "")) + "/cmdline"
	eventually(t, "its child has ended", func() bool {
		// The process is gone, or only its exit code is left.
		data, err := os.ReadFile(proc)
		return err != nil || len(data) == 0
	})
}

// toldTo is the file that the command started by the process below, a copy of this one, must write.
var toldTo = flag.String("told-to", "", "for TestRun_CommandIsSignalledWhenTheParentIsKilled itself")

func TestRun_CommandIsSignalledWhenTheParentIsKilled(t *testing.T) {
	if *toldTo != "" {
		script := "trap 'echo heard >> " + *toldTo + "; exit 143' TERM; echo ready > " + *toldTo + "; while :; do sleep 0.05; done"
		t.Fatal((&Workshop{}).run(exec.CommandContext(t.Context(), "sh", "-c", script)))
	}
	said := filepath.Join(t.TempDir(), "said")
	sandbox := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-told-to="+said)
	if err := sandbox.Start(); err != nil {
		t.Fatal(err)
	}
	waitForText(t, said, "ready")
	if err := sandbox.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sandbox.Wait()
	waitForText(t, said, "heard")
}

func waitForText(t *testing.T, file, text string) (all string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s says %q", file, text), func() bool {
		data, err := os.ReadFile(file)
		all = string(data)
		return err == nil && strings.HasSuffix(all, text+"\n")
	})
	return all
}

// eventually waits until done returns true, and fails the test after ten seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if pause.Until(ctx, 10*time.Millisecond, func(context.Context) (bool, error) { return done(), nil }) != nil {
		t.Fatal("not within ten seconds:", what)
	}
}

func TestTailBuffer_KeepsTheLastLines(t *testing.T) {
	line := func(n int) string { return fmt.Sprintf("line %06d\n", n) }
	for _, c := range []struct {
		sentence    string
		lines       int
		first, last string
	}{
		{"a short text is kept", 3, "line 000000", "line 000002"},
		{"the last lines of a long text are kept", 100_000, "", "line 099999"},
	} {
		var b tailBuffer
		for n := range c.lines {
			if got, err := b.Write([]byte(line(n))); got != len(line(n)) || err != nil {
				t.Fatalf("%s: Write returned %d, %v", c.sentence, got, err)
			}
		}
		lines := strings.Split(b.String(), "\n")
		if c.first != "" && lines[0] != c.first {
			t.Errorf("%s: it begins with %q", c.sentence, lines[0])
		}
		if lines[len(lines)-1] != c.last {
			t.Errorf("%s: it ends with %q", c.sentence, lines[len(lines)-1])
		}
		if len(lines[0]) != len(c.last) {
			t.Errorf("%s: it begins in the middle of a line: %q", c.sentence, lines[0])
		}
		if n := len(b.String()); n > tailBytes {
			t.Errorf("%s: it has %d bytes", c.sentence, n)
		}
		if b.buf.Len() > 2*tailBytes {
			t.Errorf("%s: %d bytes are held", c.sentence, b.buf.Len())
		}
	}
}

func TestRun_ErrorContainsTheOutput(t *testing.T) {
	w := &Workshop{}
	if err := w.run(exec.Command("true")); err != nil {
		t.Errorf("a program that succeeds: %v", err)
	}
	wantError(t, w.run(exec.Command("sh", "-c", "echo out; echo problem >&2; exit 3")), nil, "exit status 3", "out", "problem")
	wantError(t, w.run(exec.Command("no-such-program")), exec.ErrNotFound, "try: sandbox up --setup")
}
