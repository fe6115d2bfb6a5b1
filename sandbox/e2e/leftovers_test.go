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

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// volumesOfNode are the volumes of the node's container. They are read before the container is removed.
var volumesOfNode []string

func noteVolumes(name string) env.Func {
	return func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		for _, engine := range enginesThatAnswer(ctx) {
			volumes, err := engineSays(ctx, engine, "inspect", "--format", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`, name+"-control-plane")
			// The other engines do not have the node.
			if err == nil {
				volumesOfNode = append(volumesOfNode, volumes...)
			}
		}
		if len(volumesOfNode) == 0 {
			return ctx, errors.New("the node has no volume, which kind gives it")
		}
		return ctx, nil
	}
}

// usersKubeconfig is the content of the user's kubeconfig before the cluster was created; empty if there is none.
var usersKubeconfig string

func readUsersKubeconfig() (string, error) {
	text, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), ".kube", "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

func noteUsersKubeconfig(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	var err error
	usersKubeconfig, err = readUsersKubeconfig()
	return ctx, err
}

// usersKubeconfigIsUntouched checks that no command has changed the user's kubeconfig.
func usersKubeconfigIsUntouched(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	now, err := readUsersKubeconfig()
	if err == nil && now != usersKubeconfig {
		err = errors.New("the user's own kubeconfig was changed")
	}
	return ctx, err
}

// nothingIsLeft checks that `down` has removed everything: container, network, volumes, state, kubeconfig and lock.
func nothingIsLeft(name string) env.Func {
	return func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		var left []string
		if len(enginesThatAnswer(ctx)) == 0 {
			return ctx, errors.New("no engine answers, so leftovers cannot be found")
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
			volumes, err := engineSays(ctx, engine, "volume", "ls", "-q")
			if err != nil {
				return ctx, err
			}
			left = append(left, containers...)
			left = append(left, slices.DeleteFunc(volumes, func(v string) bool { return !slices.Contains(volumesOfNode, v) })...)
			if slices.Contains(networks, "sandbox-"+name) {
				left = append(left, "network sandbox-"+name)
			}
		}
		folder := filepath.Dir(shared.GetKubeconfig())
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

// enginesThatAnswer returns the engines on which the cluster can be.
func enginesThatAnswer(ctx context.Context) []string {
	return slices.DeleteFunc(cluster.EngineNames(), func(name string) bool {
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
