package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// storageField is the template by which an engine's `info` prints the folder in which it keeps images and containers. nerdctl has none.
var storageField = map[string]string{"docker": "{{.DockerRootDir}}", "podman": "{{.Store.GraphRoot}}"}

// Storage returns the folder in which the engine keeps images and containers, on the machine that the engine runs on.
func (e Engine) Storage(ctx context.Context) (string, error) {
	field, known := storageField[e.Name]
	if !known {
		return containerdRoot(os.Getuid())
	}
	out, err := e.Run(ctx, "info", "--format", field)
	return strings.TrimSpace(out), err
}

// containerdRoot returns the default data folder of containerd, which nerdctl drives, for root or for another user.
func containerdRoot(uid int) (string, error) {
	if uid == 0 {
		return "/var/lib/containerd", nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "containerd"), err
}
