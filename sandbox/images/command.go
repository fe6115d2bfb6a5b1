package images

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/child"
)

// commandGrace is how long a build command may take to exit after SIGTERM, for example to unmount file systems.
const commandGrace = 10 * time.Second

// run runs cmd with its output in the workshop's log. The error ends with the last lines of the log.
func (w *Workshop) run(cmd *exec.Cmd) error {
	var tail tailBuffer
	cmd.Stdout, cmd.Stderr = &tail, &tail
	child.InGroup(cmd, commandGrace)
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return remedy.Wrap(err, remedy.Command("up", "--setup"))
	}
	if cmd.Process != nil {
		// Kill the remaining processes of its group.
		_ = child.SignalGroup(cmd.Process, syscall.SIGKILL)
	}
	return fmt.Errorf("%w\n%s", err, tail.String())
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
