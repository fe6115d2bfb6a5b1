package policy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// File keeps a Policy in step with a file.
type File struct {
	Path string
	// Every is the interval at which the file is read. Default: 1s.
	Every  time.Duration
	Policy *Policy
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Observer may be nil.
	Observer Observer
	// Known returns what the process serves and calls, so that a pattern without a match is reported. It may be nil.
	Known func() Known

	last [sha256.Size]byte
}

// Observer learns what happens to the file of a policy.
type Observer interface {
	// Applied is called when a version is in force.
	Applied(version string)
	// Kept is called when a changed file cannot be used, so that the last good policy stays in force.
	Kept(why string)
	// Unmatched is called with the patterns that match nothing, each as "field: pattern", whenever they were looked for.
	Unmatched(patterns []string)
}

// silent is the default observer.
type silent struct{}

func (silent) Applied(string)     {}
func (silent) Kept(string)        {}
func (silent) Unmatched([]string) {}

// Load reads the file once. It fails if the file cannot be used. Watch follows later changes.
func (f *File) Load() error {
	f.Every = cmp.Or(f.Every, time.Second)
	f.Log = cmp.Or(f.Log, slog.Default())
	if f.Observer == nil {
		f.Observer = silent{}
	}
	text, err := read(f.Path)
	if err != nil {
		return err
	}
	f.last = sha256.Sum256(text)
	return f.use(text)
}

// Watch uses changed content until ctx ends. It compares the content, because a mounted ConfigMap is changed by a symlink. If the file is
// malformed or missing, the last good policy stays in force, and the observer and the log report it once.
func (f *File) Watch(ctx context.Context) error {
	f.ReportUnmatched()
	ticker := time.NewTicker(f.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f.reload()
		}
	}
}

func (f *File) reload() {
	text, err := read(f.Path)
	digest := sha256.Sum256(text)
	if err != nil {
		digest = sha256.Sum256([]byte(err.Error()))
	}
	if digest == f.last {
		return
	}
	f.last = digest
	if err == nil {
		err = f.use(text)
	}
	if err == nil {
		f.ReportUnmatched()
		return
	}
	why := remedy.Line(err, nil)
	f.Log.Error("keeping the last good policy", "file", f.Path, "version", f.Policy.Version(), "error", why)
	f.Observer.Kept(why)
}

func (f *File) use(text []byte) error {
	p, err := Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	before := f.Policy.Version()
	if err := f.Policy.Set(p); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	f.Log.Info("policy in force", "file", f.Path, "version", p.GetVersion(), "before", before)
	f.Observer.Applied(p.GetVersion())
	return nil
}

// ReportUnmatched reports the patterns that match nothing that this process serves or calls. They are not an error, because one file may be
// used by several programs.
func (f *File) ReportUnmatched() {
	if f.Known == nil {
		return
	}
	patterns := unmatched(f.Policy.Rules().source, f.Known())
	for _, p := range patterns {
		f.Log.Warn("a pattern of the policy matches nothing that this process serves or calls", "file", f.Path, "pattern", p)
	}
	f.Observer.Unmatched(patterns)
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return text, nil
}
