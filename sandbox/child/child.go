// Package child runs other programs so that they can clean up when they are stopped.
package child

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// InGroup runs cmd in a process group of its own. When its context is done, the group receives SIGTERM instead of SIGKILL, so that debootstrap can
// unmount, and dpkg or an engine can finish an operation that must not be interrupted. Ctrl-C on the terminal reaches the group only through the
// context. If this process is killed, only the command itself is signalled (Pdeathsig), not its group. After the grace period the command is
// killed, and Wait does not wait for other processes that still have its output open.
func InGroup(cmd *exec.Cmd, grace time.Duration) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = grace
	// It has a context.
	if cmd.Cancel != nil {
		cmd.Cancel = func() error { return SignalGroup(cmd.Process, syscall.SIGTERM) }
	}
}

// SignalGroup signals the process group that p leads.
func SignalGroup(p *os.Process, s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}
