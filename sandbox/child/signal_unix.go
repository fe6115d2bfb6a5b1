//go:build unix

package child

import (
	"errors"
	"os"
	"syscall"
)

// SignalGroup signals the process group that p leads.
func SignalGroup(p *os.Process, s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}
