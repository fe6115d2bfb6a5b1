//go:build unix

package cluster

import (
	"errors"
	"syscall"
)

// ProcessRuns reports whether a process exists on this machine.
func ProcessRuns(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
