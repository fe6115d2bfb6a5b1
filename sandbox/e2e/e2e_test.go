//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

var (
	testenv = env.New()
	// shared is the sandbox that all tests use. Each test leaves it up and ready.
	shared = &provider{name: "sandbox-e2e"}
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sandbox-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.binary = filepath.Join(dir, "sandbox")
	testenv.Setup(func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", shared.binary, "../../cmd/sandbox").CombinedOutput(); err != nil {
			return ctx, fmt.Errorf("building the command: %w\n%s", err, out)
		}
		return ctx, nil
	}, removeLeftover, noteUsersKubeconfig, envfuncs.CreateCluster(shared, shared.name))
	// The second Destroy checks that `down` is idempotent.
	testenv.Finish(usersKubeconfigIsUntouched, noteVolumes(shared.name), envfuncs.DestroyCluster(shared.name), envfuncs.DestroyCluster(shared.name), nothingIsLeft(shared.name))
	return testenv.Run(m)
}

// removeLeftover removes the sandbox of a test run that was killed. It may be damaged or of another version.
func removeLeftover(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	return ctx, shared.Destroy(ctx)
}

func feature(t *testing.T, title string, check func(context.Context, *testing.T)) {
	t.Helper()
	testenv.Test(t, features.New(title).Assess("passes", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		check(ctx, t)
		return ctx
	}).Feature())
}

// ready reports whether status considers the sandbox ready.
func ready(ctx context.Context, t *testing.T) bool {
	t.Helper()
	out, code, err := shared.run(ctx, "status", "-o", "json")
	var status struct{ Ready bool }
	if err != nil || (code != 0 && code != 3) || json.Unmarshal([]byte(out), &status) != nil {
		t.Fatalf("status ended with %d, %v: %s", code, err, out)
	}
	return status.Ready
}

func TestUp_IsIdempotent(t *testing.T) {
	feature(t, "up twice", func(ctx context.Context, t *testing.T) {
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		if !ready(ctx, t) {
			t.Error("up succeeded, but status reports that the sandbox is not ready")
		}
	})
}

func TestCall_MutualTLS(t *testing.T) {
	feature(t, "call", func(ctx context.Context, t *testing.T) {
		out, code, err := shared.run(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7"}`)
		if err != nil || code != 0 || !strings.Contains(out, "u-7") {
			t.Fatalf("call ended with %d, %v: %s", code, err, out)
		}
		if _, code, _ := shared.run(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7000"}`); code != 1 {
			t.Fatalf("call of an unknown user ended with %d, want 1", code)
		}
	})
}
