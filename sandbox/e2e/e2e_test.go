//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

const name = "sandbox-e2e"

var (
	testenv = env.New()
	binary  string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sandbox-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sandbox")
	testenv.Setup(func(ctx context.Context, c *envconf.Config) (context.Context, error) {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/sandbox").CombinedOutput(); err != nil {
			return ctx, fmt.Errorf("building the command: %w\n%s", err, out)
		}
		if _, code, err := sandbox(ctx, "up"); err != nil || code != 0 {
			return ctx, fmt.Errorf("up ended with %d: %w", code, err)
		}
		return ctx, nil
	})
	testenv.Finish(func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		for range 2 { // down twice: the second finds nothing
			if _, code, err := sandbox(ctx, "down"); err != nil || code != 0 {
				return ctx, fmt.Errorf("down ended with %d: %w", code, err)
			}
		}
		return ctx, nil
	})
	return testenv.Run(m)
}

// sandbox runs the command on the test's own sandbox; what it says goes to the test's log.
func sandbox(ctx context.Context, args ...string) (stdout string, code int, err error) {
	cmd := exec.CommandContext(ctx, binary, append([]string{"--name", name}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}

func feature(t *testing.T, title string, check func(context.Context, *testing.T)) {
	t.Helper()
	testenv.Test(t, features.New(title).Assess("holds", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		check(ctx, t)
		return ctx
	}).Feature())
}

func TestUpAgainFindsEverythingReady(t *testing.T) {
	feature(t, "up twice", func(ctx context.Context, t *testing.T) {
		if _, code, err := sandbox(ctx, "up"); err != nil || code != 0 {
			t.Fatalf("second up ended with %d, %v", code, err)
		}
		out, code, err := sandbox(ctx, "status", "-o", "json")
		var status struct{ Ready bool }
		if err != nil || code != 0 || json.Unmarshal([]byte(out), &status) != nil || !status.Ready {
			t.Fatalf("status ended with %d, %v: %s", code, err, out)
		}
	})
}

func TestCallAnswersOverMutualTLS(t *testing.T) {
	feature(t, "call", func(ctx context.Context, t *testing.T) {
		out, code, err := sandbox(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7"}`)
		if err != nil || code != 0 || !strings.Contains(out, "u-7") {
			t.Fatalf("call ended with %d, %v: %s", code, err, out)
		}
		if _, code, _ := sandbox(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7000"}`); code != 1 {
			t.Fatalf("call of an unknown user ended with %d, want 1", code)
		}
	})
}

func TestScenariosHoldAndLeaveNothing(t *testing.T) {
	for _, scenario := range []string{"pod-kill", "load-burst", "breaker-trip"} {
		feature(t, scenario, func(ctx context.Context, t *testing.T) {
			report, code := runScenario(ctx, t, scenario)
			if len(report.Cleanup.Residue) != 0 {
				t.Errorf("left behind: %v", report.Cleanup.Residue)
			}
			judged := 0
			for _, e := range report.Expectations {
				if strings.Contains(e.Name, "latency") {
					continue // it depends on how quiet the machine is; what was lost does not
				}
				judged++
				if e.Result != "pass" {
					t.Errorf("%s: %s", e.Name, e.Result)
				}
			}
			if judged < 3 || code > 1 {
				t.Errorf("judged %d expectations and ended with %d: %+v", judged, code, report)
			}
		})
	}
}

func TestImpossibleLimitFailsTheRun(t *testing.T) {
	feature(t, "impossible limit", func(ctx context.Context, t *testing.T) {
		source, code, err := sandbox(ctx, "scenarios", "show", "pod-kill")
		if err != nil || code != 0 {
			t.Fatalf("show ended with %d, %v", code, err)
		}
		file := filepath.Join(t.TempDir(), "impossible.yaml")
		impossible := strings.Replace(source, "atMost: 250ms", "atMost: 1us", 1)
		if impossible == source {
			t.Fatal("the scenario has no limit of 250ms to make impossible")
		}
		if err := os.WriteFile(file, []byte(impossible), 0o600); err != nil {
			t.Fatal(err)
		}
		if report, code := runScenario(ctx, t, file); code != 1 || report.Result != "fail" {
			t.Fatalf("run ended with %d, %s; want 1, fail", code, report.Result)
		}
	})
}

type report struct {
	Result       string
	Expectations []struct{ Name, Result string }
	Cleanup      struct{ Residue []any }
}

func runScenario(ctx context.Context, t *testing.T, scenario string) (report, int) {
	t.Helper()
	out, code, err := sandbox(ctx, "run", scenario, "-o", "json")
	var r report
	if err == nil {
		err = json.Unmarshal([]byte(out), &r)
	}
	if err != nil {
		t.Fatalf("run ended with %d, %v: %s", code, err, out)
	}
	return r, code
}
