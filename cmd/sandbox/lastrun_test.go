package main

import (
	"path/filepath"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestLastRun_ProcessKilledInTheFault(t *testing.T) {
	t.Parallel()
	run := newFaultyRun(t, "fake-run")
	stderr, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.start(t, stderr)
	folders := sandbox.Folders{Config: filepath.Join(run.home, ".config/sandbox")}
	if r, err := live.LastRun(folders, sandbox.DefaultName); err != nil || r.Result != "" || r.PID != run.Process.Pid {
		t.Errorf("while it runs: %+v, %v", r, err)
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait() // killed
	if r, err := live.LastRun(folders, sandbox.DefaultName); err != nil || r.Result != telemetry.Killed || r.Phase != "steps" {
		t.Errorf("after it was killed: %+v, %v", r, err)
	}
}
