package cluster

import "os"

// ProcessRuns reports whether a process exists on this machine.
func ProcessRuns(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
