package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// runIn runs a command line in this process with temporary folders.
func runIn(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	env := map[string]string{"HOME": t.TempDir()}
	code = run(ctx, args, process{stdout: &out, stderr: &errs, getenv: func(name string) string { return env[name] }, getuid: func() int { return 1000 }})
	return code, out.String(), errs.String()
}

func TestRun_InterruptedCommandExits130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"up", "--images", "source"}, {"up", "--setup", "--only-setup"}, {"down", "--engine", "podman"}, {"doctor"}, {"images", "build"},
	} {
		fixture.Programs(t, map[string]string{"podman": "exit 0"})
		code, stdout, stderr := runIn(ctx, t, args...)
		if code != exitInterrupted || stdout != "" || !strings.Contains(stderr, "sandbox: interrupted: ") {
			t.Errorf("%v ended with %d, said %q and printed %q", args, code, stderr, stdout)
		}
	}
}

func TestFolders_FollowXDG(t *testing.T) {
	for _, c := range []struct {
		sentence string
		env      map[string]string
		want     sandbox.Folders
		fails    string
	}{
		{"below HOME", map[string]string{"HOME": "/h"}, sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"XDG variables", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k", "XDG_STATE_HOME": "/s"},
			sandbox.Folders{Config: "/c/sandbox", Cache: "/k/sandbox", State: "/s/sandbox"}, ""},
		{"without a home", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k"},
			sandbox.Folders{Config: "/c/sandbox", Cache: "/k/sandbox", State: "/c/sandbox/.state"}, ""},
		{"a relative state folder is ignored", map[string]string{"HOME": "/h", "XDG_STATE_HOME": "s"},
			sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"each on its own", map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/k"}, sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/k/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"a relative XDG path is ignored", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "c", "XDG_CACHE_HOME": "./k"},
			sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"a space in HOME", map[string]string{"HOME": "/home of/me"}, sandbox.Folders{Config: "/home of/me/.config/sandbox", Cache: "/home of/me/.cache/sandbox", State: "/home of/me/.local/state/sandbox"}, ""},
		{"nowhere", nil, sandbox.Folders{}, "neither XDG_CONFIG_HOME nor HOME is an absolute path\ntry: set HOME"},
		{"a relative HOME", map[string]string{"HOME": "h"}, sandbox.Folders{}, "nor HOME is an absolute path\ntry: set HOME"},
	} {
		got, err := process{getenv: func(name string) string { return c.env[name] }}.folders()
		if c.fails != "" {
			fixture.WantError(t, err, c.fails)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.sentence, err, diff)
		}
	}
}

// printedError returns what the command prints for an error.
func printedError(g *globals, err error) string {
	var stderr strings.Builder
	g.printError(process{stderr: &stderr}, "sandbox:", err)
	return stderr.String()
}

func TestPrintError_RemedyHasTheName(t *testing.T) {
	err := remedy.Wrap(errors.New("broken\nor not"), remedy.Command("logs", "a"), remedy.Command("up", "--name", "c"), remedy.Advicef("%s, or go on", remedy.Command("down")))
	for name, want := range map[string]string{
		sandbox.DefaultName: "sandbox: broken\nor not\ntry: sandbox logs a\ntry: sandbox up --name c\ntry: sandbox down, or go on\n",
		"b":                 "sandbox: broken\nor not\ntry: sandbox logs a --name b\ntry: sandbox up --name c\ntry: sandbox down --name b, or go on\n",
	} {
		var stderr strings.Builder
		proc := process{stderr: &stderr, getenv: func(string) string { return "" }}
		root := newRoot(proc)
		if err := root.PersistentFlags().Set("name", name); err != nil {
			t.Fatal(err)
		}
		if printError(proc, root, "sandbox:", err); stderr.String() != want {
			t.Errorf("%s: got %q", name, stderr.String())
		}
	}
}
