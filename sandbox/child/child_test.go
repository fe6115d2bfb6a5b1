package child

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started runs a shell script in a process group of its own until stop is called, and returns the first line of its output.
func started(t *testing.T, script string, grace time.Duration) (line string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said, out := io.Pipe()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Stdout = out
	InGroup(cmd, grace)
	end := make(chan error, 1)
	go func() { end <- cmd.Run() }()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cancel, end
}

func TestInGroup_CancelledProgramCanCleanUp(t *testing.T) {
	_, stop, ended := started(t, "trap 'exit 7' TERM; echo .; while :; do sleep 0.02; done", time.Minute)
	stop()
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("it ended with %v, and not as it wanted", err)
	}
}

func TestInGroup_KillsAfterTheGracePeriod(t *testing.T) {
	_, stop, ended := started(t, "trap '' TERM; echo .; while :; do sleep 0.02; done", 50*time.Millisecond)
	stop()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it says that it succeeded")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it is waited for")
	}
}

// TestInGroup_DoesNotWaitForInheritedOutput leaves a program running in its own group, as an engine does.
func TestInGroup_DoesNotWaitForInheritedOutput(t *testing.T) {
	line, stop, ended := started(t, "setsid sh -c 'echo $$; exec sleep 60' & trap 'exit 7' TERM; while :; do sleep 0.02; done", 50*time.Millisecond)
	holder, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(holder, syscall.SIGKILL) }()
	stop()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it says that it succeeded")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it is waited for")
	}
	if err := syscall.Kill(holder, 0); err != nil {
		t.Errorf("without an open output: %v", err)
	}
}
