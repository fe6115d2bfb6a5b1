package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// probeCache records which engines have run a privileged container since this machine booted. Running another one takes longer than everything else
// that `up` does before kind starts.
type probeCache struct {
	folder string
	// boot is empty if the system has no boot id. Nothing is cached then.
	boot  string
	probe func(ctx context.Context, e cluster.Engine) error
}

func newProbeCache(f Folders) probeCache {
	return probeCache{
		folder: filepath.Join(f.Config, ".engines"), boot: bootID(),
		probe: func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) },
	}
}

// bootID identifies the current boot of the machine. It is empty on systems other than Linux, which have no such id.
func bootID() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot))
}

func (p probeCache) file(e cluster.Engine) string { return filepath.Join(p.folder, e.Name) }

// works probes an engine, unless the cache says that it works. It checks each time whether the engine is on this machine, because that depends on
// the environment.
func (p probeCache) works(ctx context.Context, e cluster.Engine) error {
	if _, err := exec.LookPath(e.Name); err == nil {
		if err := e.Local(ctx); err != nil {
			return err
		}
	}
	if p.known(e) {
		return nil
	}
	// Two probes at the same time can fail each other: podman lists the containers of all, and one of them may have just been removed. If the folder
	// cannot be written, there is no lock and no cache.
	if os.MkdirAll(p.folder, 0o700) == nil {
		turn, err := flock.Wait(ctx, p.file(e)+".lock")
		switch {
		case err == nil:
			// A process that waits notices that the file is gone, and locks a new one.
			defer func() { _ = turn.Remove() }()
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for another probe of %s: %w", e.Name, err)
		}
		if p.known(e) {
			return nil
		}
	}
	if err := p.probe(ctx, e); err != nil || p.boot == "" {
		return err
	}
	// If the result cannot be written, the engine is probed again next time.
	_ = os.WriteFile(p.file(e), []byte(p.boot), 0o600)
	return nil
}

// known reports whether the cache says that the engine works.
func (p probeCache) known(e cluster.Engine) bool {
	boot, err := os.ReadFile(p.file(e))
	return err == nil && p.boot != "" && string(boot) == p.boot
}

// forget makes the next `up` probe the engine again.
func (p probeCache) forget(e cluster.Engine) error {
	if err := os.Remove(p.file(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
