// Package cluster creates, starts and removes kind clusters on docker, podman or nerdctl.
//
// An [Engine] is a container engine, driven through its command line. [Choose] probes the engines in order of preference with a privileged
// container and returns the first that works. A [Cluster] is one kind cluster on one engine. It may not exist yet.
//
//	             Claim            Create                     Whole
//	nothing ───▶ marker volume ─▶ kind: node container ───▶ marker removed: complete
//	             network (labels)    │           │
//	                                 ▼           ▼
//	                       OnContainerd:     OnAPIServer:
//	                       LoadIntoNode      install releases
//
// Creation can be interrupted at any point. The marker volume shows that a cluster is incomplete, and the labels on the marker and the network name
// the sandbox that owns it ([Owner]). [Cluster.Inventory] reads both back from the engine, and the caller decides from them what it may remove.
// kind cannot label its node containers, so a node belongs to a sandbox if it is on the sandbox's network. Delete removes exactly those objects.
//
// Images flow in two directions: [Engine.LoadImage] gives the engine the node's image, and [Cluster.LoadIntoNode] streams the images of workloads
// into the node's containerd. The package knows neither which images nor which releases there are.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/grpc-sandbox/sandbox/sandbox/child"
)

// Engine is a container engine, driven through its command line as kind does. Name is docker, podman or nerdctl.
type Engine struct{ Name string }

// engineNames lists the engines in order of preference.
var engineNames = []string{"docker", "podman", "nerdctl"}

// EngineNames returns the engines that --engine accepts, in order of preference.
func EngineNames() []string { return append([]string(nil), engineNames...) }

// engineGrace is how long an engine may take to exit after it was interrupted. Its child processes may outlive it and keep its output open.
const engineGrace = 5 * time.Second

// Run runs the engine and returns its standard output. The error contains its standard error.
func (e Engine) Run(ctx context.Context, args ...string) (string, error) {
	return e.RunWith(ctx, nil, args...)
}

// RunWith is Run with a standard input.
func (e Engine) RunWith(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	child.InGroup(cmd, engineGrace)
	if err := cmd.Run(); err != nil {
		return stdout.String(), &commandError{command: e.Name + " " + args[0], said: strings.TrimSpace(stderr.String()), err: err}
	}
	return stdout.String(), nil
}

func (e Engine) provider(o cluster.ProviderOption) *cluster.Provider {
	kind := map[string]cluster.ProviderOption{
		"docker": cluster.ProviderWithDocker(), "podman": cluster.ProviderWithPodman(), "nerdctl": cluster.ProviderWithNerdctl("nerdctl"),
	}[e.Name]
	return cluster.NewProvider(kind, o)
}

// commandError is a failed command and its output.
type commandError struct {
	command, said string
	err           error
}

func (e *commandError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("running %s: %v", e.command, e.err)
	}
	return fmt.Sprintf("running %s: %v: %s", e.command, e.err, e.said)
}

func (e *commandError) Unwrap() error { return e.err }

// ErrNoEngine means that no container engine works on this machine.
var ErrNoEngine = errors.New("no container engine works here")
