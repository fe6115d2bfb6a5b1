package cluster

import (
	"context"
	"strings"
)

// storageField is where an engine's `info` tells the folder in which it keeps images and containers.
var storageField = map[string]string{"docker": "{{.DockerRootDir}}", "podman": "{{.Store.GraphRoot}}", "nerdctl": "{{.DockerRootDir}}"}

// Storage is the folder in which the engine keeps images and containers.
func (e Engine) Storage(ctx context.Context) (string, error) {
	out, err := e.Run(ctx, "info", "--format", storageField[e.Name])
	return strings.TrimSpace(out), err
}
