package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Host has the properties of this machine on which a node's settings depend.
type Host struct {
	// CgroupV1 is true for cgroup version 1 and for the hybrid layout.
	CgroupV1 bool
	// NoResources is true if CAP_SYS_RESOURCE is not in the bounding set, so that limits cannot be raised.
	NoResources bool
}

const capSysResource = 24

// hasCapability looks a capability up in the bounding set of a /proc/<pid>/status file.
func hasCapability(status string, bit uint) (bool, error) {
	for s := bufio.NewScanner(strings.NewReader(status)); s.Scan(); {
		if hex, ok := strings.CutPrefix(s.Text(), "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return set&(1<<bit) != 0, err
		}
	}
	return false, errors.New("reading this process's capabilities: no CapBnd line in /proc/self/status")
}

// PreparePodman points podman at limits and a runtime that work on this host, for us and for kind. The settings are in a file in dir, and podman
// finds them through the environment. The settings of the system are not changed.
func (h Host) PreparePodman(dir string, setenv func(key, value string) error) error {
	if !h.CgroupV1 && !h.NoResources {
		return nil
	}
	files, err := maxFiles()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(file, []byte(containersConf(files, h.CgroupV1)), 0o600); err != nil {
		return fmt.Errorf("writing podman's settings: %w", err)
	}
	return setenv("CONTAINERS_CONF", file)
}

// containersConf limits the number of open files to the hard limit, and selects runc on cgroup v1, which crun does not support.
func containersConf(maxFiles uint64, cgroupV1 bool) string {
	text := fmt.Sprintf("[containers]\ndefault_ulimits = [\"nofile=%[1]d:%[1]d\", \"nproc=32768:32768\"]\n", maxFiles)
	if cgroupV1 {
		text += "[engine]\nruntime = \"runc\"\n"
	}
	return text
}

// EnsureModulesFolder creates /lib/modules if it does not exist, because kind mounts it into the node and podman refuses to mount a missing folder.
// It reports whether it created the folder.
func EnsureModulesFolder(path string) (bool, error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return false, remedy.Errorf(remedy.Shell("sudo", "mkdir", "-p", path), "making %s, which kind mounts into the node: %w", path, err)
	}
	return true, nil
}
