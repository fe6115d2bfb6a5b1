package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// The steps of kind that mark a state of the node. If a version of kind names them differently, Create only takes longer.
const (
	writingConfiguration = "Writing configuration"  // the node runs on its network
	startingControlPlane = "Starting control-plane" // containerd was restarted for the last time
	installingCNI        = "Installing CNI"         // the API server answers
)

// CreateHooks are called by Create as the cluster becomes usable, one at a time. kind waits until a hook returns. Each may be nil.
type CreateHooks struct {
	// Step receives the name of each step of kind.
	Step func(name string)
	// OnContainerd is called when the node's containerd accepts images.
	OnContainerd func()
	// OnAPIServer is called when the API server answers and the kubeconfig is written.
	OnAPIServer func()
}

// Cluster is one kind cluster, which may not exist yet.
type Cluster struct {
	// Name is the name of the cluster, which is that of the sandbox. Engine is where its node runs.
	Name   string
	Engine Engine
	// Kubeconfig is the file that kind writes. The user's own kubeconfig is never changed.
	Kubeconfig string
	// Image is the image of the node.
	Image string
	// Ports are ports of the node that are reached at 127.0.0.1. They are set when the cluster is created.
	Ports []Port
}

// Port is a port of the node, and the port of 127.0.0.1 that leads there.
type Port struct{ Node, Host int }

// networkVariables are the environment variables that set the engine network of kind. Each cluster has its own network, so that removing one
// does not affect another cluster.
var networkVariables = []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK", "KIND_EXPERIMENTAL_CONTAINERD_NETWORK"}

// networkSem is a semaphore that guards networkVariables. kind reads the network from the environment of the process only, so one cluster at a time
// can pass the step in which kind reads it. Creating clusters overlaps otherwise.
var networkSem = make(chan struct{}, 1)

// setNetwork makes kind use the network of c until release is called, which is idempotent.
func (c Cluster) setNetwork(ctx context.Context) (release func(), err error) {
	select {
	case networkSem <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = sync.OnceFunc(func() { <-networkSem })
	for _, v := range networkVariables {
		if err := os.Setenv(v, c.network()); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

func (c Cluster) provider(progress func(string)) *cluster.Provider {
	return c.Engine.provider(cluster.ProviderWithLogger(newProgressLogger(progress)))
}

// Create creates the cluster on the network that Claim created. The node may not be ready when Create returns: kind's own wait cannot be cancelled,
// and reports success even if the node never becomes ready. If ctx is cancelled, everything that was created is removed. The caller must hold the
// lock of the sandbox.
func (c Cluster) Create(ctx context.Context, host Host, hooks CreateHooks) error {
	if err := c.removeStaleLock(); err != nil {
		return err
	}
	releaseNetwork, err := c.setNetwork(ctx)
	if err != nil {
		return fmt.Errorf("creating the cluster: waiting until kind has created another one: %w", err)
	}
	var p *cluster.Provider
	progress := hooks.progress(func() error { return p.ExportKubeConfig(c.Name, c.Kubeconfig, false) })
	p = c.provider(func(step string) {
		if step == writingConfiguration {
			releaseNetwork()
		}
		progress(step)
	})
	done := make(chan error, 1)
	go func() {
		defer releaseNetwork()
		done <- p.Create(c.Name, cluster.CreateWithV1Alpha4Config(config(c.Name, host, c.Ports)), cluster.CreateWithNodeImage(c.Image),
			cluster.CreateWithKubeconfigPath(c.Kubeconfig), cluster.CreateWithWaitForReady(0),
			cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		c.abortCreate(clean, done)
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

// cleanLimit is how long an engine may take to remove the cluster after ctx was cancelled. A hanging engine may be the reason for the cancellation.
const cleanLimit = time.Minute

// abortCreate removes the node repeatedly until kind has failed. kind takes no context, and it may be just about to create the node.
func (c Cluster) abortCreate(ctx context.Context, done <-chan error) {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		_ = c.removeContainers(ctx)
		select {
		case <-done: //nolint:errcheck // removing the node makes it fail
			return
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// removeStaleLock removes the lock file that kind creates next to the kubeconfig and that remains after a process was killed. Only `up` writes that
// file, and the caller holds the lock of the sandbox, so no other process can be using it.
func (c Cluster) removeStaleLock() error {
	if err := os.Remove(c.Kubeconfig + ".lock"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the lock that a killed process left: %w", err)
	}
	return nil
}

// WriteKubeconfig replaces the kubeconfig of an existing cluster. The caller must hold the lock of the sandbox.
func (c Cluster) WriteKubeconfig() error {
	if err := c.removeStaleLock(); err != nil {
		return err
	}
	// kind would merge into an existing file.
	if err := os.Remove(c.Kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := c.provider(func(string) {}).ExportKubeConfig(c.Name, c.Kubeconfig, false); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return os.Chmod(c.Kubeconfig, 0o600)
}

// progress returns a function that receives kind's steps and calls the hooks. export writes the kubeconfig. If that fails, kind writes the
// kubeconfig at its end, or reports why it cannot.
func (h CreateHooks) progress(export func() error) func(step string) {
	return func(step string) {
		if h.Step != nil {
			h.Step(step)
		}
		switch {
		case step == startingControlPlane && h.OnContainerd != nil:
			h.OnContainerd()
		case step == installingCNI && h.OnAPIServer != nil && export() == nil:
			h.OnAPIServer()
		}
	}
}

// said returns the output of the command that failed inside kind. kind's error has only its exit code.
func said(err error) string {
	run := exec.RunErrorForError(err)
	if run == nil || len(run.Output) == 0 {
		return ""
	}
	return "\n" + strings.TrimSpace(string(run.Output))
}

// Start starts a node that was stopped or paused, or whose processes are gone. See runs. restarted means that its programs were started again, which
// those of a paused node are not.
func (c Cluster) Start(ctx context.Context) (restarted bool, err error) {
	status, err := c.Engine.Run(ctx, "inspect", "--format", "{{.State.Status}}", c.Node())
	if err != nil {
		return false, err
	}
	again := remedy.Advicef("%s, then %s", remedy.Command("down"), remedy.Command("up")).If("what is in the cluster may go")
	verb, ended := "start", strings.TrimSpace(status) == "running"
	switch {
	case strings.TrimSpace(status) == "paused":
		verb = "unpause"
	case ended:
		// An engine that cannot send a signal to the node may notice that it has ended.
		_, _ = c.Engine.Run(ctx, "kill", c.Node())
	}
	if _, err = c.Engine.Run(ctx, verb, c.Node()); err != nil {
		return false, remedy.Errorf(again, "starting the node again: %w", err)
	}
	// Podman 4 does not notice, and then `start` does nothing.
	if ended && !c.runs(ctx, c.Node(), 0) {
		return false, remedy.Errorf(again, "%s calls the node running, but its processes are gone, and it cannot be started again", c.Engine.Name)
	}
	return verb == "start", nil
}

// Node returns the name of the node's container.
func (c Cluster) Node() string { return c.Name + "-control-plane" }

// Delete removes what the sandbox created: the nodes on its network, their volumes, the network, the marker and the kubeconfig. Missing objects are
// not an error. A node on another network is kept, because the sandbox did not create it.
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

// removeContainers removes every node on the cluster's network with the volumes that it mounts, in whatever state it is.
func (c Cluster) removeContainers(ctx context.Context) error {
	nodes, err := c.containers(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if !n.On(c) {
			continue
		}
		// rm alone would give systemd ten seconds to stop. A container that has stopped cannot be killed, which is not an error here.
		_, _ = c.Engine.Run(ctx, "kill", n.ID)
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

// gone reports whether an engine failed because a container, network, volume or object does not exist. The engines differ in wording and capitals.
func gone(err error, thing string) bool {
	if err == nil {
		return false
	}
	missing := regexp.MustCompile(`no such ` + thing + `|` + thing + `( \S+)? not found|unable to find ` + thing + `|no ` + thing + ` found`)
	return missing.MatchString(strings.ToLower(err.Error()))
}
