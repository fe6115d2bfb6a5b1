// Package child runs other programs so that they can clean up when they are stopped.
package child

import (
	"os/exec"
	"syscall"
	"time"
)

// InGroup runs cmd in a process group of its own. When its context is done, the group receives SIGTERM instead of SIGKILL, so that debootstrap can
// unmount, and dpkg or an engine can finish an operation that must not be interrupted. Ctrl-C on the terminal reaches the group only through the
// context. If this process is killed, only the command itself is signalled, and only on Linux (Pdeathsig). After the grace period the command is
// killed, and Wait does not wait for other processes that still have its output open. Windows has no signals: there the command is killed.
func InGroup(cmd *exec.Cmd, grace time.Duration) {
	cmd.SysProcAttr = groupAttributes()
	cmd.WaitDelay = grace
	// It has a context.
	if cmd.Cancel != nil {
		cmd.Cancel = func() error { return SignalGroup(cmd.Process, syscall.SIGTERM) }
	}
}
