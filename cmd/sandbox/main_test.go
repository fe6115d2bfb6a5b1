package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios"
)

// TestCommands_DoNotQueryTheTerminal runs each command on a terminal that never answers. A query would show up as an escape sequence.
func TestCommands_DoNotQueryTheTerminal(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct {
		command string
		code    int
		shows   string
	}{
		{"version", 0, "Kubernetes v"},
		{"--help", 0, "watch"},
		{"scenarios", 0, scenarios.Builtin()[0].Name},
		{"completion bash", 0, "sandbox"},
		{"status", 3, "sandbox up"},
		{"no-such-verb", 2, "no-such-verb"},
	} {
		t.Run(c.command, func(t *testing.T) {
			t.Parallel()
			ours, theirs := terminalPair(t)
			defer ours.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "sandbox", strings.Fields(c.command)...)
			cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CI=") })
			cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME=", "TERM=xterm-256color")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			theirs.Close()
			// The read ends when the last process with the terminal ends.
			said, err := io.ReadAll(ours)
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Error(err)
			}
			// The exit code is checked below.
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(string(said), c.shows) || strings.Contains(string(said), "\x1b") {
				t.Errorf("exit code %d, want %d; it printed %.300q", got, c.code, said)
			}
		})
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
