package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
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
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // only Linux has it
	return probed{
		folder: filepath.Join(f.Config, ".engines"), boot: strings.TrimSpace(string(boot)),
		probe: func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) },
	}
}

func (p probed) file(e cluster.Engine) string { return filepath.Join(p.folder, e.Name) }

// works probes an engine, unless it is known to work.
func (p probed) works(ctx context.Context, e cluster.Engine) error {
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
