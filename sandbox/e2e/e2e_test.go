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
	// world is the sandbox that the tests share; each leaves it up and whole.
	world = &provider{name: "sandbox-e2e"}
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sandbox-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	world.binary = filepath.Join(dir, "sandbox")
	testenv.Setup(func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", world.binary, "../../cmd/sandbox").CombinedOutput(); err != nil {
			return ctx, fmt.Errorf("building the command: %w\n%s", err, out)
		}
		return ctx, nil
	}, noteUsersKubeconfig, envfuncs.CreateCluster(world, world.name))
	// Down twice: the second finds nothing.
	testenv.Finish(usersKubeconfigIsUntouched, noteVolumes(world.name), envfuncs.DestroyCluster(world.name), envfuncs.DestroyCluster(world.name), nothingIsLeft(world.name))
	return testenv.Run(m)
}

func feature(t *testing.T, title string, check func(context.Context, *testing.T)) {
	t.Helper()
	testenv.Test(t, features.New(title).Assess("holds", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		check(ctx, t)
		return ctx
	}).Feature())
}

// ready is what status says of the sandbox.
func ready(ctx context.Context, t *testing.T) bool {
	t.Helper()
	out, code, err := world.run(ctx, "status", "-o", "json")
	var status struct{ Ready bool }
	if err != nil || (code != 0 && code != 3) || json.Unmarshal([]byte(out), &status) != nil {
		t.Fatalf("status ended with %d, %v: %s", code, err, out)
	}
	return status.Ready
}

func TestUpAgainFindsEverythingReady(t *testing.T) {
	feature(t, "up twice", func(ctx context.Context, t *testing.T) {
		if err := world.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		if !ready(ctx, t) {
			t.Error("up ended well, and status calls the sandbox not ready")
		}
	})
}

func TestCallAnswersOverMutualTLS(t *testing.T) {
	feature(t, "call", func(ctx context.Context, t *testing.T) {
		out, code, err := world.run(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7"}`)
		if err != nil || code != 0 || !strings.Contains(out, "u-7") {
			t.Fatalf("call ended with %d, %v: %s", code, err, out)
		}
		if _, code, _ := world.run(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7000"}`); code != 1 {
			t.Fatalf("call of an unknown user ended with %d, want 1", code)
		}
	})
}
