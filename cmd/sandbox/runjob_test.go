package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

func TestConduct_VerdictOutlivesItsOutputs(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, c := range []struct {
		sentence string
		// The replicas that the scenario finds.
		replicas string
		code     int
	}{
		{"a pass", "3", exitDone}, {"a cluster in which nothing can be planned", "none", exitEnvironment},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"replicas": c.replicas, "file": ""} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			scenario, err := scenarios.Parse("fake.yaml", []byte(fakeScenario))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				fake := &fakeTarget{file: filepath.Join(dir, "replicas"), started: map[string]time.Time{}}
				j := job{
					proc: process{stdout: full, stderr: &stderr}, g: &globals{name: "sandbox"}, scenario: scenario, target: fake.target(),
					folders: sandbox.Folders{Config: filepath.Join(dir, "config"), State: filepath.Join(dir, "file")},
				}
				err := j.conduct(t.Context())
				var coded *codedError
				if code := exitDone; errors.As(err, &coded) && coded.code != c.code || (coded == nil) != (c.code == code) {
					t.Errorf("%v", err)
				}
				for _, part := range []string{"sandbox: warning: writing the report: ", "sandbox: warning: printing the report: "} {
					if !strings.Contains(stderr.String(), part) {
						t.Errorf("no %q in\n%s", part, stderr.String())
					}
				}
			})
		})
	}
}

func TestPresent_UnwritableFolderKeepsTheVerdict(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	j := job{proc: process{stdout: &out, stderr: &errs}, g: &globals{name: "sandbox"}, flags: runFlags{report: filepath.Join(blocked, "sub")}}
	j.present(scenarios.Report{Scenario: "mine", Result: scenarios.Fail, Message: "1 of 5 expectations did not hold"})
	if !strings.Contains(out.String(), "FAIL") || !strings.Contains(errs.String(), "warning") {
		t.Errorf("standard output %q, standard error %q", out.String(), errs.String())
	}
}

// command runs the program in the home of a run, where no engine is in the PATH.
func (r *faultyRun) command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir, err := findSandbox(os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sandbox"), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + r.home, "PATH=" + dir}, &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestRun_LocksTheSandbox(t *testing.T) {
	t.Parallel()
	run := newFaultyRun(t, "fake-run")
	run.Env = append(run.Env, "FAKE_HOLD=10m")
	stderr, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.start(t, stderr)
	for _, args := range [][]string{{"up"}, {"down"}, {"run", scenarios.Builtin()[0].Name}, {"undo"}, {"undo", "--forget", "1"}} {
		code, out, errs := run.command(t, args...)
		holder := "sandbox: sandbox \"sandbox\" is being changed by `sandbox run fake`, process " + strconv.Itoa(run.Process.Pid) + ", since "
		if code != exitEnvironment || out != "" || !strings.HasPrefix(errs, holder) {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
		if stop := strings.Contains(errs, "try: sandbox down --stop-run"); stop != (args[0] == "down") {
			t.Errorf("%v: %s", args, errs)
		}
	}
	if _, out, _ := run.command(t, "undo", "--list"); out != "nothing is left behind\n" {
		t.Errorf("the list has changes of the current run:\n%s", out)
	}
	code, out, errs := run.command(t, "down", "--stop-run")
	if code != exitDone || !strings.Contains(errs, "stopping `sandbox run fake`, process ") {
		t.Errorf("down --stop-run: exit code %d\n%s%s", code, out, errs)
	}
	run.cleanedUp(t, 130)
}

func TestStopRun_WithoutARun(t *testing.T) {
	run := newFaultyRun(t, "fake-run")
	if code, out, errs := run.command(t, "down", "--stop-run"); code != exitDone {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestUndoList_AfterAKilledRun(t *testing.T) {
	t.Parallel()
	run := newFaultyRun(t, "fake-run")
	run.Env = append(run.Env, "FAKE_HOLD=10m")
	stderr, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.start(t, stderr)
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The error is that the process was killed.
	_ = run.Wait()
	_, out, _ := run.command(t, "undo", "--list")
	for _, part := range []string{"\n1       fake ", "browse from loadgen", "\n2       fake ", inTheFault} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	folders := sandbox.Folders{Config: filepath.Join(run.home, ".config", "sandbox")}
	fake := &fakeTarget{file: filepath.Join(run.home, "replicas"), started: map[string]time.Time{}}
	report, err := scenarios.Undo(context.Background(), fake.target(), folders.Journal("sandbox"))
	if n, _ := fake.Replicas(t.Context(), "userservice"); err != nil || n != 3 {
		t.Errorf("%+v, %v; %d replicas", report, err, n)
	}
}

func TestLastRun_KilledProcess(t *testing.T) {
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
	// The error is that it was killed.
	_ = run.Wait()
	if r, err := live.LastRun(folders, sandbox.DefaultName); err != nil || r.Result != telemetry.Killed || r.Phase != "steps" {
		t.Errorf("after it was killed: %+v, %v", r, err)
	}
}
