package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/tui"
)

func TestARunIsReadAsItWasWritten(t *testing.T) {
	f := sandbox.Folders{Config: t.TempDir()}
	if r, err := readRun(f, "blue"); r != nil || err != nil {
		t.Fatalf("before any run: %+v, %v", r, err)
	}
	if err := os.Mkdir(filepath.Join(f.Config, "blue"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"steady", "done"} {
		want := telemetry.Run{Scenario: "pod-kill", Phase: phase, Started: noon, Timeline: []telemetry.Event{{Seq: 1, At: noon, Kind: "phase", Subject: phase}}}
		if err := writeRun(f, "blue", want); err != nil {
			t.Fatal(err)
		}
		got, err := readRun(f, "blue")
		if diff := cmp.Diff(&want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
	files, err := os.ReadDir(filepath.Join(f.Config, "blue"))
	if err != nil || len(files) != 1 {
		t.Errorf("beside the run there are %v, %v", files, err)
	}
	if other, err := readRun(f, "red"); other != nil || err != nil {
		t.Errorf("another sandbox has a run of its own: %+v, %v", other, err)
	}
}

func TestADamagedRunSaysWhichFile(t *testing.T) {
	f := sandbox.Folders{Config: t.TempDir()}
	if err := os.Mkdir(filepath.Join(f.Config, "blue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runFile(f, "blue"), []byte(`{"Scen`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRun(f, "blue"); !errorSays(err, runFile(f, "blue")) || !errorSays(err, "\ntry: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheTimelineIsToldOnce(t *testing.T) {
	var out strings.Builder
	told := newRunTeller(world{stderr: &out}, true)
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	told.tell(r)
	told.tell(r)
	r.Timeline = append(r.Timeline, telemetry.Event{At: noon.Add(12e9), Kind: "phase", Subject: "recover"})
	told.tell(r)
	want := "     1.5 s  step     kill one  userservice-1\n    12.0 s  phase    recover  \n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	newRunTeller(world{stderr: &out}, false).tell(r)
	if out.Len() > 0 {
		t.Errorf("under the screen it prints %q", out.String())
	}
}

func TestARunWithoutItsScreenIsTold(t *testing.T) {
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	const told = "     1.5 s  step     kill one  userservice-1\n"
	for _, c := range []struct {
		sentence    string
		left        error
		interrupted bool
		want        string
	}{
		{"who quits the screen sees the run go on", nil, false, told},
		{"Ctrl-C stops the run too", tui.ErrInterrupted, true, told},
		{"a screen that broke says why", errors.New("no feed"), false, "sandbox: no feed\n" + told},
	} {
		var out strings.Builder
		teller := newRunTeller(world{stderr: &out}, false)
		teller.tell(r)
		interrupted := false
		teller.screenLeft(c.left, func() { interrupted = true })
		teller.tell(r)
		if out.String() != c.want || interrupted != c.interrupted {
			t.Errorf("%s: interrupted %v, told %q", c.sentence, interrupted, out.String())
		}
	}
}
