// Package child runs other programs so that they end as tidily as we do.
package child

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// InGroup gives cmd a process group of its own, which its context ends by SIGTERM and not by SIGKILL: debootstrap unmounts what it mounted,
// dpkg and an engine finish what must not be left half done. A Ctrl-C on the terminal reaches it by its context only. Of a parent that is
// killed the group does not hear, so the command itself does. After grace it is killed, and whoever still has its output is not waited for.
func InGroup(cmd *exec.Cmd, grace time.Duration) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = grace
	if cmd.Cancel != nil { // it has a context
		cmd.Cancel = func() error { return SignalGroup(cmd.Process, syscall.SIGTERM) }
	}
}

// SignalGroup signals the group that p leads.
func SignalGroup(p *os.Process, s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}
