package child

import (
	"os"
	"syscall"
)

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// SignalGroup kills p, whatever the signal.
func SignalGroup(p *os.Process, _ syscall.Signal) error { return p.Kill() }
