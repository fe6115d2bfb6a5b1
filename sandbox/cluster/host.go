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
	"syscall"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Host is what a node's settings depend on.
type Host struct {
	CgroupV1    bool // cgroup version 1, or the hybrid layout
	NoResources bool // CAP_SYS_RESOURCE is not in the bounding set, so limits cannot be raised
}

const (
	cgroup2Magic   = 0x63677270
	capSysResource = 24
)

// InspectHost looks at this machine.
func InspectHost() (Host, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/sys/fs/cgroup", &fs); err != nil {
		return Host{}, fmt.Errorf("looking at /sys/fs/cgroup: %w", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Host{}, fmt.Errorf("looking at this process's capabilities: %w", err)
	}
	has, err := hasCapability(string(status), capSysResource)
	return Host{CgroupV1: fs.Type != cgroup2Magic, NoResources: !has}, err
}

// hasCapability reads the bounding set in the text of /proc/<pid>/status.
func hasCapability(status string, bit uint) (bool, error) {
	for s := bufio.NewScanner(strings.NewReader(status)); s.Scan(); {
		if hex, ok := strings.CutPrefix(s.Text(), "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return set&(1<<bit) != 0, err
		}
	}
	return false, errors.New("looking at this process's capabilities: no CapBnd line in /proc/self/status")
}

// PreparePodman points podman, and kind's use of it, at limits and a runtime that work here. The settings live in a file in
// dir and reach podman through the environment; the system's own settings are not touched.
func (h Host) PreparePodman(dir string, setenv func(key, value string) error) error {
	if !h.CgroupV1 && !h.NoResources {
		return nil
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(file, []byte(containersConf(files.Max, h.CgroupV1)), 0o600); err != nil {
		return fmt.Errorf("writing podman's settings: %w", err)
	}
	return setenv("CONTAINERS_CONF", file)
}

// containersConf asks for no more open files than the hard limit; crun refuses cgroup v1, runc does not.
func containersConf(maxFiles uint64, cgroupV1 bool) string {
	text := fmt.Sprintf("[containers]\ndefault_ulimits = [\"nofile=%[1]d:%[1]d\", \"nproc=32768:32768\"]\n", maxFiles)
	if cgroupV1 {
		text += "[engine]\nruntime = \"runc\"\n"
	}
	return text
}

// EnsureModulesFolder makes /lib/modules where it is missing: kind mounts it into the node, and podman refuses to mount what is not there.
// It reports whether it made one.
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
