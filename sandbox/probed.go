package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// probed remembers which engines have run a privileged container since the machine started: running another one takes longer than all else
// that `up` itself does before kind begins.
type probed struct {
	folder string
	boot   string // empty where the system does not tell: nothing is remembered then
	probe  func(ctx context.Context, e cluster.Engine) error
}

func newProbed(f Folders) probed {
	return probed{
		folder: filepath.Join(f.Config, ".engines"), boot: bootID(),
		probe: func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) },
	}
}

// bootID identifies this run of the machine; empty where the system has no such id. Only Linux has one.
func bootID() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot))
}

func (p probed) file(e cluster.Engine) string { return filepath.Join(p.folder, e.Name) }

// works probes an engine, unless it is known to work. Whether it is on this machine is asked each time, because the environment decides that.
func (p probed) works(ctx context.Context, e cluster.Engine) error {
	if _, err := exec.LookPath(e.Name); err == nil {
		if err := e.Local(ctx); err != nil {
			return err
		}
	}
	if known, err := os.ReadFile(p.file(e)); err == nil && p.boot != "" && string(known) == p.boot {
		return nil
	}
	if err := p.probe(ctx, e); err != nil || p.boot == "" {
		return err
	}
	if os.MkdirAll(p.folder, 0o700) == nil {
		_ = os.WriteFile(p.file(e), []byte(p.boot), 0o600) // what cannot be remembered is probed again, and works all the same
	}
	return nil
}

// forget makes the next `up` probe an engine again.
func (p probed) forget(e cluster.Engine) error {
	if err := os.Remove(p.file(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
