package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// The run that goes on, or the last one, lies in a file, so that a `watch` in another terminal sees it.
func runFile(f sandbox.Folders, name string) string {
	return filepath.Join(f.Config, name, "run.json")
}

func writeRun(f sandbox.Folders, name string, r telemetry.Run) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := runFile(f, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// readRun returns nil when no scenario ever ran.
func readRun(f sandbox.Folders, name string) (*telemetry.Run, error) {
	data, err := os.ReadFile(runFile(f, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r telemetry.Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, remedy.Wrap(fmt.Errorf("reading the last run from %s: %w", runFile(f, name), err), remedy.Shell("rm", runFile(f, name)))
	}
	return &r, nil
}

// lastRunOf returns the run of a sandbox that goes on, or the last one; nil when no scenario ever ran.
func lastRunOf(f sandbox.Folders, name string) (*telemetry.Run, error) {
	return lastRun(func() (*telemetry.Run, error) { return readRun(f, name) }, func() (flock.Holder, bool) { return sandbox.Holder(f, name) })
}

// lastRun is what the file says, less what it cannot say: whether the process of an unfinished run is still there. A run has the sandbox's lock,
// which ends with its process and with the machine, so no other process can be mistaken for it.
func lastRun(read func() (*telemetry.Run, error), holder func() (flock.Holder, bool)) (*telemetry.Run, error) {
	r, err := read()
	if err != nil || r == nil || over(r) {
		return r, err
	}
	if h, held := holder(); held && mayBe(h, r) {
		return r, nil
	}
	// A run writes its end before it gives the lock back, so what it wrote is read again.
	r, err = read()
	if err != nil || r == nil || over(r) {
		return r, err
	}
	if h, held := holder(); held && mayBe(h, r) { // a run that began since
		return r, nil
	}
	r.Result = telemetry.Killed
	return r, nil
}

func over(r *telemetry.Run) bool { return r.Phase == "done" }

// mayBe reports whether the holder of the lock can be the process of a run. A holder that could not write its name can, and so can any run's, when
// the file is the previous version's and has no process.
func mayBe(h flock.Holder, r *telemetry.Run) bool {
	return h.PID == 0 || h.PID == r.PID || r.PID == 0 && h.Is("run")
}
