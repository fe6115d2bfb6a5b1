// Package cluster makes a kind cluster on whichever container engine works.
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

// Engine is a container engine, driven through its command line as kind drives it.
type Engine struct{ Name string }

// engineNames lists the engines in order of preference.
var engineNames = []string{"docker", "podman", "nerdctl"}

// EngineNames lists the engines that --engine takes, in order of preference.
func EngineNames() []string { return append([]string(nil), engineNames...) }

// engineGrace is how long an engine that is told to end may take; what it started may outlive it, and hold its output.
const engineGrace = 5 * time.Second

// Run runs the engine and returns what it printed; the error carries what it said.
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

// commandError is a failed command with what it said.
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

// ErrNoEngine means that no container engine works here.
var ErrNoEngine = errors.New("no container engine works here")
