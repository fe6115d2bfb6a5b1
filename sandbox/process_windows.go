package sandbox

import "os"

// processRuns reports whether a process exists on this machine.
func processRuns(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
