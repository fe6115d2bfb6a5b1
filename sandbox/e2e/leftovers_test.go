//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
)

// volumesBefore are the engines' volumes that nobody uses, before the tests' cluster was made.
var volumesBefore []string

func noteVolumes(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	var err error
	volumesBefore, err = unusedVolumes(ctx)
	return ctx, err
}

// nothingIsLeft looks for what `down` should have removed: container, network, volumes, state, kubeconfig and lock.
func nothingIsLeft(name string) env.Func {
	return func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		var left []string
		if len(enginesThatAnswer(ctx)) == 0 {
			return ctx, errors.New("no engine answers, so nobody can say what is left")
		}
		for _, engine := range enginesThatAnswer(ctx) {
			containers, err := engineSays(ctx, engine, "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster="+name)
			if err != nil {
				return ctx, err
			}
			networks, err := engineSays(ctx, engine, "network", "ls", "--format", "{{.Name}}")
			if err != nil {
				return ctx, err
			}
			left = append(left, containers...)
			if slices.Contains(networks, "sandbox-"+name) {
				left = append(left, "network sandbox-"+name)
			}
		}
		volumes, err := unusedVolumes(ctx)
		if err != nil {
			return ctx, err
		}
		left = append(left, slices.DeleteFunc(volumes, func(v string) bool { return slices.Contains(volumesBefore, v) })...)
		folder := filepath.Dir(world.GetKubeconfig())
		for _, path := range []string{folder, folder + ".lock"} {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				left = append(left, path)
			}
		}
		if len(left) > 0 {
			return ctx, fmt.Errorf("down left %v", left)
		}
		return ctx, nil
	}
}

func unusedVolumes(ctx context.Context) (all []string, err error) {
	for _, engine := range enginesThatAnswer(ctx) {
		volumes, err := engineSays(ctx, engine, "volume", "ls", "-q", "--filter", "dangling=true")
		if err != nil {
			return nil, err
		}
		all = append(all, volumes...)
	}
	return all, nil
}

// enginesThatAnswer are those where the cluster can be.
func enginesThatAnswer(ctx context.Context) []string {
	return slices.DeleteFunc([]string{"docker", "podman", "nerdctl"}, func(name string) bool {
		return exec.CommandContext(ctx, name, "ps").Run() != nil
	})
}

func engineSays(ctx context.Context, engine string, args ...string) ([]string, error) {
	out, err := exec.CommandContext(ctx, engine, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for %s: %w", engine, args[0], err)
	}
	return strings.Fields(string(out)), nil
}
