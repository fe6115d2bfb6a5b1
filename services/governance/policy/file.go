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

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// File keeps a Policy in step with a file. The observer of the policy learns of every change.
type File struct {
	// Path is the path of the file in YAML or JSON, with at most 1 MiB.
	Path string
	// Every is the interval at which the file is read. Default: 1s.
	Every time.Duration
	// Policy is the policy that Load and Watch replace, with Policy.Set. Required.
	Policy *Policy
	// Log receives log records if the policy has no observer. Default: slog.Default().
	Log *slog.Logger

	last [sha256.Size]byte
}

// Load reads the file once. It fails if the file cannot be used. Watch follows later changes.
func (f *File) Load() error {
	f.Every = cmp.Or(f.Every, time.Second)
	f.Policy.observeIfNone(Logged(cmp.Or(f.Log, slog.Default())))
	text, err := readFile(f.Path)
	if err != nil {
		return err
	}
	f.last = sha256.Sum256(text)
	p, err := f.parse(text)
	if err != nil {
		return err
	}
	return f.Policy.Set(p)
}

// Watch uses changed content until ctx ends. It compares the content, because a mounted ConfigMap is changed by a symlink. If the file is
// malformed or missing, the last good policy stays in force, which is reported once.
func (f *File) Watch(ctx context.Context) error {
	return pause.Every(ctx, f.Every, func(context.Context) error {
		f.reload()
		return nil
	})
}

func (f *File) reload() {
	text, err := readFile(f.Path)
	digest := sha256.Sum256(text)
	if err != nil {
		digest = sha256.Sum256([]byte(err.Error()))
	}
	if digest == f.last {
		return
	}
	f.last = digest
	var p *policyv1.EffectivePolicy
	if err == nil {
		p, err = f.parse(text)
	}
	if err != nil {
		f.Policy.keep(err)
		return
	}
	// Set reports an error itself.
	_ = f.Policy.Set(p)
}

func (f *File) parse(text []byte) (*policyv1.EffectivePolicy, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return p, nil
}

func readFile(path string) ([]byte, error) {
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
