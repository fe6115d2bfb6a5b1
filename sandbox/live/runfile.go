package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// WriteRun stores the running scenario of a sandbox in a file, where a `watch` in another terminal reads it.
func WriteRun(f sandbox.Folders, name string, r telemetry.Run) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := f.Run(name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// readRun returns nil when no scenario has run yet.
func readRun(f sandbox.Folders, name string) (*telemetry.Run, error) {
	data, err := os.ReadFile(f.Run(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r telemetry.Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, remedy.Wrap(fmt.Errorf("reading the last run from %s: %w", f.Run(name), err), remedy.Shell("rm", f.Run(name)))
	}
	return &r, nil
}

// LastRun returns the running scenario of a sandbox, or the last one; nil when none has run yet. The result of a run whose process is gone is
// telemetry.Killed.
func LastRun(f sandbox.Folders, name string) (*telemetry.Run, error) {
	return lastRun(func() (*telemetry.Run, error) { return readRun(f, name) }, func() (flock.Holder, bool) { return sandbox.Holder(f, name) })
}

// lastRun adds to the file what it cannot contain: whether the process of an unfinished run still exists. A run holds the sandbox's lock, which ends
// with its process, so no other process can be mistaken for it.
func lastRun(read func() (*telemetry.Run, error), holder func() (flock.Holder, bool)) (*telemetry.Run, error) {
	r, err := read()
	if err != nil || r == nil || finished(r) {
		return r, err
	}
	if h, held := holder(); held && mayBe(h, r) {
		return r, nil
	}
	// A run writes its end before it releases the lock, so the file is read again.
	r, err = read()
	if err != nil || r == nil || finished(r) {
		return r, err
	}
	if h, held := holder(); held && mayBe(h, r) {
		// The next run has started.
		return r, nil
	}
	r.Result = telemetry.Killed
	return r, nil
}

func finished(r *telemetry.Run) bool { return r.Phase == "done" }

// mayBe reports whether the holder of the lock can be the process of a run. A holder that could not write its name can. So can any `run`, when the
// file was written by a version that did not record the process.
func mayBe(h flock.Holder, r *telemetry.Run) bool {
	return h.PID == 0 || h.PID == r.PID || r.PID == 0 && h.Is("run")
}
