package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
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

func (c Cluster) provider(progress func(string)) (*cluster.Provider, error) {
	for _, v := range networkVariables {
		if err := os.Setenv(v, c.network()); err != nil { // kind reads it from the process's environment only
			return nil, err
		}
	}
	return c.Engine.provider(cluster.ProviderWithLogger(newProgressLogger(progress))), nil
}

// Create makes the cluster on the network that Claim created. The node need not be ready when it returns: kind's own wait cannot be cancelled, and
// reports success even if the node never becomes ready. When ctx ends, nothing of the cluster is left. The caller holds the lock of the sandbox.
func (c Cluster) Create(ctx context.Context, host Host, heard Heard) error {
	var p *cluster.Provider
	p, err := c.provider(heard.progress(func() error { return p.ExportKubeConfig(c.Name, c.Kubeconfig, false) }))
	if err != nil {
		return err
	}
	if err := c.removeStaleLock(); err != nil {
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

// removeStaleLock removes the lock that kind creates next to the kubeconfig and that outlives a killed process. Only `up` writes that file, and the
// caller holds the lock of the sandbox, so no other process can be using it.
func (c Cluster) removeStaleLock() error {
	if err := os.Remove(c.Kubeconfig + ".lock"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the lock that a killed process left: %w", err)
	}
	return nil
}

// WriteKubeconfig replaces the kubeconfig of a cluster that exists. The caller holds the lock of the sandbox.
func (c Cluster) WriteKubeconfig() error {
	p, err := c.provider(func(string) {})
	if err != nil {
		return err
	}
	if err := c.removeStaleLock(); err != nil {
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

// Delete removes what the sandbox created: the nodes on its network, their volumes, the network, the marker and the kubeconfig. What is gone already
// is no error. A node that is on another network stays, because the sandbox did not create it.
func (c Cluster) Delete(ctx context.Context) error {
	if err := c.removeContainers(ctx); err != nil {
		return fmt.Errorf("deleting the cluster: %w", err)
	}
	if err := c.remove(ctx, "network", c.network()); err != nil {
		return fmt.Errorf("deleting the cluster's network: %w", err)
	}
	if err := c.remove(ctx, "volume", c.marker()); err != nil {
		return fmt.Errorf("deleting the cluster's marker: %w", err)
	}
	if err := os.Remove(c.Kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// removeContainers removes every node on the cluster's network with the volumes it mounts, however it was left.
func (c Cluster) removeContainers(ctx context.Context) error {
	nodes, err := c.containers(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if !n.On(c) {
			continue
		}
		_, _ = c.Engine.Run(ctx, "kill", n.ID) // rm alone gives systemd ten seconds to stop; one that has stopped cannot be killed
		if _, err := c.Engine.Run(ctx, "rm", "-f", "-v", n.ID); err != nil && !gone(err, "container") {
			return err
		}
		for _, v := range n.volumes {
			if err := c.remove(ctx, "volume", v); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone reports that an engine refused because there is no such container, network, volume or object. The engines differ in wording and capitals.
func gone(err error, thing string) bool {
	if err == nil {
		return false
	}
	missing := regexp.MustCompile(`no such ` + thing + `|` + thing + `( \S+)? not found|unable to find ` + thing + `|no ` + thing + ` found`)
	return missing.MatchString(strings.ToLower(err.Error()))
}
