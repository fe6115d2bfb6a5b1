package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// RemoteError reports an engine whose containers run on another machine, so that the node's ports and this machine's folders are not available
// there.
type RemoteError struct{ Engine, Host string }

// Error names the engine and the machine that it uses.
func (e *RemoteError) Error() string {
	return fmt.Sprintf("%s runs containers on another machine (%s), and a sandbox needs an engine on this one", e.Engine, e.Host)
}

// Local returns a *RemoteError if the engine runs containers on another machine. It only reads the engine's settings, and creates nothing there.
func (e Engine) Local(ctx context.Context) error {
	host := ""
	switch e.Name {
	case "docker":
		// The effective endpoint is that of DOCKER_HOST, or else that of the current context. A docker without contexts has only DOCKER_HOST.
		out, err := e.Run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
		if err != nil {
			return nil //nolint:nilerr // the answer is unknown; the probe finds out whether the engine works
		}
		host = strings.TrimSpace(out)
	case "podman":
		out, err := e.Run(ctx, "info", "--format", "{{.Host.ServiceIsRemote}} {{.Host.RemoteSocket.Path}}")
		if err != nil {
			return nil //nolint:nilerr // the answer is unknown; the probe finds out whether the engine works
		}
		remote, path, _ := strings.Cut(strings.TrimSpace(out), " ")
		if remote == "true" {
			host = path
		}
	}
	if isLocal(host) {
		return nil
	}
	local := "unset DOCKER_HOST, or docker context use default"
	if e.Name == "podman" {
		local = "unset CONTAINER_HOST and CONTAINER_CONNECTION"
	}
	return remedy.Wrap(&RemoteError{e.Name, host}, remedy.Advice(local), remedy.Advice("another engine, with --engine"))
}

// isLocal reports whether an engine's address is on this machine: a socket, a pipe or a loopback address. An empty address means the default
// socket.
func isLocal(host string) bool {
	if host == "" || strings.HasPrefix(host, "/") {
		return true
	}
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "unix", "npipe", "fd":
		return true
	case "tcp", "http", "https":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	// ssh counts as remote even to this machine: the forwarded socket does not tell where the ports are.
	return false
}

// userNamespace returns the flag that takes a container out of the user namespace of a docker daemon with userns-remap, as kind does for its nodes.
// Privileged containers are refused inside it.
func (e Engine) userNamespace(ctx context.Context) []string {
	if e.Name != "docker" {
		return nil
	}
	out, err := e.Run(ctx, "info", "--format", "{{json .SecurityOptions}}")
	if err != nil || !strings.Contains(out, "name=userns") {
		return nil
	}
	return []string{"--userns=host"}
}
