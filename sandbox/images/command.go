package images

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// commandGrace is how long a build command that is told to end may take, to unmount what it mounted.
const commandGrace = 10 * time.Second

// run runs cmd with its output in the workshop's log; the error ends with the log's tail.
func (w *Workshop) run(cmd *exec.Cmd) error {
	var tail tailBuffer
	cmd.Stdout, cmd.Stderr = &tail, &tail
	inGroup(cmd)
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w\ntry: sandbox up --setup", err)
	}
	if cmd.Process != nil {
		_ = signalGroup(cmd.Process, syscall.SIGKILL) // what is left of it
	}
	return fmt.Errorf("%w\n%s", err, tail.String())
}

// inGroup gives cmd a process group of its own, which its context ends by SIGTERM and not by SIGKILL: debootstrap then unmounts what it
// mounted. Of a sandbox that is killed the group does not hear, so the command itself does.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = commandGrace
	if cmd.Cancel != nil { // it has a context
		cmd.Cancel = func() error { return signalGroup(cmd.Process, syscall.SIGTERM) }
	}
}

// signalGroup signals the group that p leads.
func signalGroup(p *os.Process, s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}

// tailBuffer keeps the last lines written to it.
type tailBuffer struct{ buf bytes.Buffer }

const tailBytes = 4 << 10

func (t *tailBuffer) Write(p []byte) (int, error) {
	n, err := t.buf.Write(p)
	if extra := t.buf.Len() - 2*tailBytes; extra > 0 {
		t.buf.Next(extra)
	}
	return n, err
}

func (t *tailBuffer) String() string {
	b := t.buf.Bytes()
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return strings.TrimRight(string(b), "\n")
}
