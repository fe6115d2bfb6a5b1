package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
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
