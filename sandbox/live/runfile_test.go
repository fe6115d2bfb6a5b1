package live

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestWriteRun_ReadRun(t *testing.T) {
	f := sandbox.Folders{Config: t.TempDir()}
	if r, err := readRun(f, "blue"); r != nil || err != nil {
		t.Fatalf("before any run: %+v, %v", r, err)
	}
	if err := os.Mkdir(filepath.Join(f.Config, "blue"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"steady", "done"} {
		want := telemetry.Run{Scenario: "mine", Phase: phase, Started: noon, PID: 7, Timeline: []telemetry.Event{{Seq: 1, At: noon, Kind: "phase", Subject: phase}}}
		if err := WriteRun(f, "blue", want); err != nil {
			t.Fatal(err)
		}
		got, err := readRun(f, "blue")
		if diff := cmp.Diff(&want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
	files, err := os.ReadDir(filepath.Join(f.Config, "blue"))
	if err != nil || len(files) != 1 {
		t.Errorf("in addition to the run file there are %v, %v", files, err)
	}
	if other, err := readRun(f, "red"); other != nil || err != nil {
		t.Errorf("the run of another sandbox: %+v, %v", other, err)
	}
}

func TestReadRun_DamagedFile(t *testing.T) {
	f := sandbox.Folders{Config: t.TempDir()}
	if err := os.Mkdir(filepath.Join(f.Config, "blue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Run("blue"), []byte(`{"Scen`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRun(f, "blue"); !errorSays(err, f.Run("blue")) || len(remedy.Of(err)) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestLastRun_Result(t *testing.T) {
	run := func(phase string, pid int) telemetry.Run { return telemetry.Run{Phase: phase, PID: pid, Started: noon} }
	holds := func(verb string, pid int) flock.Holder { return flock.Holder{Verb: verb, PID: pid} }
	for _, c := range []struct {
		sentence string
		// The results of successive reads.
		files  []telemetry.Run
		holder flock.Holder
		held   bool
		want   string
	}{
		{"its process has the lock", []telemetry.Run{run("steps", 7)}, holds("run x", 7), true, ""},
		{"the lock is free", []telemetry.Run{run("steps", 7), run("steps", 7)}, flock.Holder{}, false, telemetry.Killed},
		{"another run has the lock", []telemetry.Run{run("steps", 7), run("steps", 7)}, holds("run x", 8), true, telemetry.Killed},
		{"down has the lock", []telemetry.Run{run("steps", 0), run("steps", 0)}, holds("down", 8), true, telemetry.Killed},
		{"the file of an earlier version has no process", []telemetry.Run{run("steps", 0)}, holds("run x", 8), true, ""},
		{"the holder could not write its name", []telemetry.Run{run("steps", 7)}, flock.Holder{}, true, ""},
		{"it has ended", []telemetry.Run{run("done", 7)}, flock.Holder{}, false, ""},
		{"it ended between two reads", []telemetry.Run{run("cleanup", 7), run("done", 7)}, flock.Holder{}, false, ""},
		{"the next run started between two reads", []telemetry.Run{run("steps", 7), run("plan", 8)}, holds("run x", 8), true, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			left := c.files
			got, err := lastRun(func() (*telemetry.Run, error) {
				r := left[0]
				left = left[1:]
				return &r, nil
			}, func() (flock.Holder, bool) { return c.holder, c.held })
			if err != nil || got.Result != c.want || len(left) > 0 {
				t.Errorf("result %q, %v; %d reads left; want %q", got.Result, err, len(left), c.want)
			}
		})
	}
}
