package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestConfirm_NeedsAYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Y\n": true, " y \n": true, "n\n": false, "\n": false, "": false, "yes please\n": false} {
		var out strings.Builder
		err := confirm(t.Context(), strings.NewReader(answer), &out)
		if (err == nil) != want || out.String() != "continue? [y/N] " {
			t.Errorf("%q counts as %v after %q", answer, err, out.String())
		}
	}
}

func TestConfirm_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// No answer is ever written.
	in, typed := io.Pipe()
	defer typed.Close()
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := confirm(ctx, in, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestNoEngine_Remedy(t *testing.T) {
	none := fmt.Errorf("%w: docker is not installed", cluster.ErrNoEngine)
	fixture.Programs(t, map[string]string{"apt-get": ""})
	const packages = "\nwhich runs: apt-get update && apt-get install --no-install-recommends podman runc netavark aardvark-dns iptables debootstrap"
	for _, c := range []struct {
		sentence, name, engine string
		afterSetup             bool
		want                   string
	}{
		{"the default sandbox", sandbox.DefaultName, "", false, "try: sandbox up --setup" + packages},
		{"another sandbox", "blue", "", false, "try: sandbox up --setup --name blue" + packages},
		{"an engine that --setup can install", "blue", "podman", false, "try: sandbox up --setup --engine podman --name blue" + packages},
		{"an engine that --setup cannot install", sandbox.DefaultName, "docker", false, "try: sandbox up --setup --engine podman"},
		{"after --setup", sandbox.DefaultName, "", true, "try: sandbox doctor"},
	} {
		g := &globals{name: c.name, engine: c.engine}
		err := noEngine(none, root, g, c.afterSetup)
		if got := printedError(g, err); !errors.Is(err, cluster.ErrNoEngine) || got != "sandbox: "+none.Error()+"\n"+c.want+"\n" {
			t.Errorf("%s: got %q", c.sentence, got)
		}
	}
	fixture.WantError(t, noEngine(none, user, &globals{name: sandbox.DefaultName}, false),
		"\nwhich runs: sudo apt-get update && sudo apt-get install --no-install-recommends podman ")
	other := errors.New("the disk is full")
	if err := noEngine(other, root, &globals{}, false); !errors.Is(err, other) || fixture.ErrorText(err) != other.Error() {
		t.Errorf("another error became %v", err)
	}
}

var (
	root = process{getuid: func() int { return 0 }}
	user = process{getuid: func() int { return 1000 }}
)

func TestNoProgram_Remedy(t *testing.T) {
	lacks := func(program string) error {
		return fmt.Errorf("preparing an image: %w", &images.MissingError{Program: program})
	}
	other := errors.New("the disk is full")
	for _, c := range []struct {
		sentence string
		apt      bool
		process  process
		err      error
		added    string
	}{
		{"root", true, root, lacks("debootstrap"), "\nwhich runs: apt-get update && apt-get install --no-install-recommends debootstrap"},
		{"another user needs sudo", true, user, lacks("debootstrap"), "\nwhich runs: sudo apt-get update && sudo apt-get install --no-install-recommends debootstrap"},
		{"--setup does not install Go", true, root, lacks("go"), ""},
		{"a system without apt", false, root, lacks("debootstrap"), ""},
		{"another error is unchanged", true, root, other, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			programs := map[string]string{}
			if c.apt {
				programs["apt-get"] = ""
			}
			fixture.Programs(t, programs)
			if got := noProgram(c.err, c.process); !errors.Is(got, c.err) || fixture.ErrorText(got) != fixture.ErrorText(c.err)+c.added {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSetUp_UserWithoutRoot(t *testing.T) {
	calls := fixture.Programs(t, map[string]string{"podman": "exit 0", "apt-get": ""})
	code, _, stderr := runIn(t.Context(), t, "up", "--setup", "--yes")
	if code != exitEnvironment || !strings.Contains(stderr, "\ntry: sudo apt-get update && sudo apt-get install --no-install-recommends debootstrap\n") {
		t.Errorf("ended with %d and said %q", code, stderr)
	}
	for _, c := range calls() {
		if strings.HasPrefix(c, "apt-get") {
			t.Errorf("it called %s", c)
		}
	}
}
