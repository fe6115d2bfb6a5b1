package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// storageField is where an engine's `info` tells the folder in which it keeps images and containers. nerdctl does not tell.
var storageField = map[string]string{"docker": "{{.DockerRootDir}}", "podman": "{{.Store.GraphRoot}}"}

// Storage is the folder in which the engine keeps images and containers, on the machine that it runs on.
func (e Engine) Storage(ctx context.Context) (string, error) {
	field, told := storageField[e.Name]
	if !told {
		return containerdRoot(os.Getuid())
	}
	out, err := e.Run(ctx, "info", "--format", field)
	return strings.TrimSpace(out), err
}

// containerdRoot is where containerd, which nerdctl drives, keeps everything of root or of another user, unless its settings say otherwise.
func containerdRoot(uid int) (string, error) {
	if uid == 0 {
		return "/var/lib/containerd", nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "containerd"), err
}
