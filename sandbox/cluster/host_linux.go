package cluster

import (
	"fmt"
	"os"
	"syscall"
)

const cgroup2Magic = 0x63677270

// InspectHost reads the properties of this machine.
func InspectHost() (Host, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/sys/fs/cgroup", &fs); err != nil {
		return Host{}, fmt.Errorf("reading /sys/fs/cgroup: %w", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Host{}, fmt.Errorf("reading this process's capabilities: %w", err)
	}
	has, err := hasCapability(string(status), capSysResource)
	return Host{CgroupV1: fs.Type != cgroup2Magic, NoResources: !has}, err
}

// maxFiles returns the hard limit on the number of open files of this process.
func maxFiles() (uint64, error) {
	var files syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	return files.Max, err
}
