package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"
)

// kind's steps whose beginning says something about the node. A kind that names them differently costs time, and nothing else.
const (
	startingControlPlane = "Starting control-plane" // containerd was started anew for the last time
	installingCNI        = "Installing CNI"         // the API server answers
)

// Heard is what Create tells while it works; each function may be nil. They are called one at a time, and kind waits for them.
type Heard struct {
	Step        func(name string) // kind's steps
	TakesImages func()            // the node's containerd does, from now on
	Answers     func()            // the API server does, and the kubeconfig is written
}

// Cluster is one kind cluster, which may not exist yet.
type Cluster struct {
	Name       string
	Engine     Engine
	Kubeconfig string // the file kind writes; the user's own is never touched
	Image      string // of the node
}

// networkVariables name the engine network that kind uses; one for each cluster, so that removing it harms nobody.
var networkVariables = []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK", "KIND_EXPERIMENTAL_CONTAINERD_NETWORK"}

func (c Cluster) network() string { return "sandbox-" + c.Name }

func (c Cluster) provider(progress func(string)) (*cluster.Provider, error) {
	for _, v := range networkVariables {
		if err := os.Setenv(v, c.network()); err != nil { // kind reads it from the process's environment only
			return nil, err
		}
	}
	return c.Engine.provider(cluster.ProviderWithLogger(newProgressLogger(progress))), nil
}

// Create makes the cluster, whose node need not be ready yet: kind would wait for it where nobody can stop it, and end well when it is not. When
// ctx ends, nothing of the cluster is left.
func (c Cluster) Create(ctx context.Context, host Host, heard Heard) error {
	var p *cluster.Provider
	p, err := c.provider(heard.progress(func() error { return p.ExportKubeConfig(c.Name, c.Kubeconfig, false) }))
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- p.Create(c.Name, cluster.CreateWithV1Alpha4Config(config(c.Name, host)), cluster.CreateWithNodeImage(c.Image),
			cluster.CreateWithKubeconfigPath(c.Kubeconfig), cluster.CreateWithWaitForReady(0),
			cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		c.takeAway(clean, done)
		cancel()
		err = ctx.Err()
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		return errors.Join(fmt.Errorf("creating the cluster: %w%s", err, said(err)), c.Delete(clean))
	}
	return os.Chmod(c.Kubeconfig, 0o600)
}

// cleanLimit is how long an engine may take to remove what we made, once we are to end: it may be why we are.
const cleanLimit = time.Minute

// takeAway removes the node from under kind, again and again until kind has failed: it takes no context, and may only be about to make the node.
func (c Cluster) takeAway(ctx context.Context, done <-chan error) {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		_ = c.removeContainers(ctx)
		select {
		case <-done: //nolint:errcheck // that it failed is what we made happen
			return
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// WriteKubeconfig writes the file of a cluster that is there anew.
func (c Cluster) WriteKubeconfig() error {
	p, err := c.provider(func(string) {})
	if err != nil {
		return err
	}
	if err := os.Remove(c.Kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) { // kind would merge into what is there
		return err
	}
	if err := p.ExportKubeConfig(c.Name, c.Kubeconfig, false); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return os.Chmod(c.Kubeconfig, 0o600)
}

// progress makes of kind's steps what Heard tells; export writes the kubeconfig. Where that fails, kind does it at its end, or says why not.
func (h Heard) progress(export func() error) func(step string) {
	return func(step string) {
		if h.Step != nil {
			h.Step(step)
		}
		switch {
		case step == startingControlPlane && h.TakesImages != nil:
			h.TakesImages()
		case step == installingCNI && h.Answers != nil && export() == nil:
			h.Answers()
		}
	}
}

// said is what the command that failed inside kind printed; kind's error has only its exit code.
func said(err error) string {
	run := exec.RunErrorForError(err)
	if run == nil || len(run.Output) == 0 {
		return ""
	}
	return "\n" + strings.TrimSpace(string(run.Output))
}

// Exists says whether the cluster has a node that is there, and whether that node runs.
func (c Cluster) Exists(ctx context.Context) (exists, running bool, err error) {
	out, err := c.Engine.Run(ctx, "ps", "-a", "--filter", "label=io.x-k8s.kind.cluster="+c.Name, "--format", "{{.Names}}\t{{.Status}}")
	if err != nil {
		return false, false, err
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if name, status, ok := strings.Cut(line, "\t"); ok && name == c.Node() {
			return true, strings.HasPrefix(status, "Up") && !strings.Contains(status, "(Paused)"), nil
		}
	}
	return false, false, nil
}

// Start lets a node run that was stopped or paused.
func (c Cluster) Start(ctx context.Context) error {
	status, err := c.Engine.Run(ctx, "inspect", "--format", "{{.State.Status}}", c.Node())
	if err != nil {
		return err
	}
	verb := "start"
	if strings.TrimSpace(status) == "paused" {
		verb = "unpause"
	}
	_, err = c.Engine.Run(ctx, verb, c.Node())
	return err
}

// Node is the name of the container that is the node.
func (c Cluster) Node() string { return c.Name + "-control-plane" }

// Delete removes the node, its volumes and its network. It is fine with nothing there.
func (c Cluster) Delete(ctx context.Context) error {
	if err := c.removeContainers(ctx); err != nil {
		return fmt.Errorf("deleting the cluster: %w", err)
	}
	if out, err := c.Engine.Run(ctx, "network", "ls", "--format", "{{.Name}}"); err != nil {
		return fmt.Errorf("deleting the cluster's network: %w", err)
	} else if slices.Contains(strings.Fields(out), c.network()) {
		if _, err := c.Engine.Run(ctx, "network", "rm", c.network()); err != nil {
			return fmt.Errorf("deleting the cluster's network: %w", err)
		}
	}
	if err := os.Remove(c.Kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// removeContainers removes every container of the cluster with the volumes it mounts, however it was left.
func (c Cluster) removeContainers(ctx context.Context) error {
	out, err := c.Engine.Run(ctx, "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster="+c.Name)
	if err != nil {
		return err
	}
	for _, id := range strings.Fields(out) {
		volumes, err := c.volumes(ctx, id)
		if err != nil {
			return err
		}
		_, _ = c.Engine.Run(ctx, "kill", id) // rm alone gives systemd ten seconds to stop; one that has stopped cannot be killed
		if _, err := c.Engine.Run(ctx, "rm", "-f", "-v", id); err != nil && !gone(err, "container") {
			return err
		}
		for _, v := range volumes {
			// A volume that went with its container is what we want.
			if _, err := c.Engine.Run(ctx, "volume", "rm", "-f", v); err != nil && !gone(err, "volume") {
				return err
			}
		}
	}
	return nil
}

// gone says whether an engine refused because there is no such thing; docker and podman differ in the capital.
func gone(err error, thing string) bool {
	return strings.Contains(strings.ToLower(err.Error()), "no such "+thing)
}

func (c Cluster) volumes(ctx context.Context, id string) ([]string, error) {
	out, err := c.Engine.Run(ctx, "inspect", "--format", "{{json .Mounts}}", id)
	if err != nil {
		return nil, err
	}
	var mounts []struct{ Type, Name string }
	if err := json.Unmarshal([]byte(out), &mounts); err != nil {
		return nil, fmt.Errorf("reading the mounts of %s: %w", id, err)
	}
	var names []string
	for _, m := range mounts {
		if m.Type == "volume" && m.Name != "" {
			names = append(names, m.Name)
		}
	}
	return names, nil
}
