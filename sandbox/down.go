package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// DownOptions say which sandbox goes.
type DownOptions struct {
	Name    string
	Engine  string // asked only when the sandbox does not remember its own
	Folders Folders
	Observe func(Progress)
	Forget  func() error // undoes what was written elsewhere, before the note of it goes with the sandbox; its error keeps nothing up; may be nil
}

// Down removes the sandbox: container, volume, network, kubeconfig, state and lock. It is fine with nothing there.
// It reports whether there was something.
func Down(ctx context.Context, o DownOptions) (bool, error) {
	if err := CheckName(o.Name); err != nil {
		return false, err
	}
	unlock, err := lock(o.Folders, o.Name, "down")
	if err != nil {
		return false, err
	}
	defer unlock()
	if _, err := PrepareEngines(o.Folders); err != nil {
		return false, err
	}
	rec := newRecorder(o.Observe)
	found := false
	err = rec.step(ctx, "cluster", func(ctx context.Context, _ func(string)) error {
		found, err = removeCluster(ctx, o)
		return err
	})
	if err != nil {
		return found, err
	}
	var kept error
	if o.Forget != nil {
		kept = o.Forget()
	}
	return found, errors.Join(kept, os.RemoveAll(o.Folders.of(o.Name)))
}

func removeCluster(ctx context.Context, o DownOptions) (bool, error) {
	s, damaged := readState(o.Folders, o.Name)
	engines := []string{s.Engine}
	switch {
	case damaged != nil && o.Engine == "":
		engines = installedEngines() // a damaged state must not keep anything alive: look everywhere
	case damaged != nil || s.Engine == "":
		engines = []string{o.Engine}
	}
	found := false
	var refusals []error
	for _, name := range engines {
		if name == "" {
			return false, nil // no `up` of this name ever chose an engine
		}
		c := clusterOf(o.Folders, o.Name, state{Engine: name})
		exists, _, err := c.Exists(ctx)
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		found = found || exists
		if err := c.Delete(ctx); err != nil {
			return found, err
		}
	}
	if found || len(refusals) == 0 {
		return found, nil
	}
	try := "sandbox doctor" // the cluster may be there
	if len(engines) > 1 {
		try = "sandbox down --name " + o.Name + " --engine ENGINE, with the one that made it"
	}
	return false, fmt.Errorf("looking for the cluster: %w\ntry: %s", errors.Join(refusals...), try)
}

func installedEngines() []string {
	return slices.DeleteFunc(cluster.EngineNames(), func(name string) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
}

// Open returns the cluster of a sandbox that is up.
func Open(ctx context.Context, f Folders, name string) (cluster.Cluster, error) {
	if err := CheckName(name); err != nil {
		return cluster.Cluster{}, err
	}
	s, err := readState(f, name)
	if err != nil {
		return cluster.Cluster{}, err
	}
	if _, err := os.Stat(f.Kubeconfig(name)); s.Engine == "" || s.Created.IsZero() || errors.Is(err, fs.ErrNotExist) {
		return cluster.Cluster{}, &NotUpError{Name: name}
	}
	if _, err := PrepareEngines(f); err != nil {
		return cluster.Cluster{}, err
	}
	return clusterOf(f, name, s), nil
}

// NotUpError says that there is no such sandbox.
type NotUpError struct{ Name string }

func (e *NotUpError) Error() string {
	try := "sandbox up"
	if e.Name != DefaultName {
		try += " --name " + e.Name
	}
	return "sandbox " + e.Name + " is not up\ntry: " + try
}
