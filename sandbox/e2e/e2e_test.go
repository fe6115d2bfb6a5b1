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

func TestPodKillLosesNoAvailability(t *testing.T) {
	feature(t, "pod-kill", func(ctx context.Context, t *testing.T) {
		out, code, err := sandbox(ctx, "run", "pod-kill", "-o", "json")
		var report struct {
			Expectations []struct{ Name, Result string }
			Cleanup      struct{ Residue []any }
		}
		if err != nil || json.Unmarshal([]byte(out), &report) != nil || len(report.Expectations) == 0 {
			t.Fatalf("run ended with %d, %v: %s", code, err, out)
		}
		if len(report.Cleanup.Residue) != 0 {
			t.Errorf("left behind: %v", report.Cleanup.Residue)
		}
		for _, e := range report.Expectations {
			// Latency depends on how quiet the machine is; whether calls were lost does not.
			if strings.HasPrefix(e.Name, "availability") && e.Result != "pass" {
				t.Errorf("%s: %s", e.Name, e.Result)
			}
		}
	})
}
