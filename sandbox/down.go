package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// DownOptions are the options of Down.
type DownOptions struct {
	// Name is the name of the sandbox.
	Name string
	// Engine is used only if the sandbox has no state that names its engine.
	Engine string
	// Folders are where the files of the sandbox are.
	Folders Folders
	// Observe receives the progress. It may be nil.
	Observe func(Progress)
	// Forget undoes what the sandbox wrote outside its folders. It runs before the sandbox's folder is removed, because that folder records those
	// writes. Its error is returned, but does not stop the removal. May be nil.
	Forget func() error
}

// DownReport is what Down did.
type DownReport struct {
	// Found reports whether there was a cluster, which is removed now.
	Found bool
	// Unanswered are the engines that did not answer. A cluster there was neither found nor removed.
	Unanswered []UnansweredEngine
}

// UnansweredEngine is an engine that did not answer.
type UnansweredEngine struct {
	// Engine is the name of the engine. Err is why it did not answer.
	Engine string
	Err    error
}

// Down removes the sandbox: container, volume, network, kubeconfig, state and lock. It is a no-op if there is no sandbox, and never touches objects
// that the sandbox did not create.
func Down(ctx context.Context, o DownOptions) (DownReport, error) {
	if err := CheckName(o.Name); err != nil {
		return DownReport{}, err
	}
	unlock, err := Lock(o.Folders, o.Name, "down")
	if err != nil {
		return DownReport{}, err
	}
	defer unlock()
	if _, err := PrepareEngines(o.Folders); err != nil {
		return DownReport{}, err
	}
	rec := newRecorder(o.Observe)
	var found DownReport
	err = rec.step(ctx, "cluster", func(ctx context.Context, _ func(string)) error {
		found, err = removeCluster(ctx, o, func(text string) { rec.note("cluster", text) })
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

// removeCluster removes the cluster from the engine named in the sandbox's state. If the state is missing or damaged, it searches every engine, or
// only the one named in the options, for a cluster with the labels of this sandbox.
func removeCluster(ctx context.Context, o DownOptions, note func(string)) (DownReport, error) {
	s, damaged := readState(o.Folders, o.Name)
	if damaged != nil {
		s = state{}
	}
	engines := []string{s.Engine}
	if s.Engine == "" {
		engines = cluster.InstalledEngines()
		if o.Engine != "" {
			engines = []string{o.Engine}
		}
	}
	var report DownReport
	var refusals []error
	for _, name := range engines {
		removed, err := removeFrom(ctx, o, name, s)
		var foreign *ForeignError
		if errors.As(err, &foreign) && s.Engine == "" && o.Engine == "" {
			// The cluster belongs to another sandbox, and the user did not name this engine.
			note(err.Error())
			continue
		}
		var stuck *notRemovedError
		switch {
		case errors.As(err, &stuck):
			// The state is kept, so that the next `down` finds the cluster again.
			return report, remedy.Wrap(err, remedy.Command("doctor"))
		case err != nil:
			refusals = append(refusals, err)
			report.Unanswered = append(report.Unanswered, UnansweredEngine{name, err})
		}
		report.Found = report.Found || removed
	}
	switch {
	case len(refusals) == 0 || report.Found:
		return report, nil
	// Without a state the sandbox most likely never existed.
	case s.Engine == "" && damaged == nil && o.Engine == "":
		for _, err := range refusals {
			note("not searched: " + strings.ReplaceAll(err.Error(), "\n", " "))
		}
		return report, nil
	}
	err := errors.Join(refusals...)
	if len(remedy.Of(err)) > 0 {
		return report, err
	}
	if len(engines) > 1 {
		return report, remedy.Wrap(err, remedy.Command("down", "--engine", "ENGINE").If("ENGINE is the one that created it"))
	}
	return report, remedy.Wrap(err, remedy.Command("doctor"))
}

// removeFrom removes the cluster from one engine if it belongs to this sandbox.
func removeFrom(ctx context.Context, o DownOptions, engine string, s state) (bool, error) {
	c := clusterOf(o.Folders, o.Name, state{Engine: engine})
	inventory, err := c.Inventory(ctx)
	if err != nil {
		return false, err
	}
	is, err := judge(o.Name, engine, currentUser(), s, inventory)
	if err != nil || is == absent {
		return false, err
	}
	if err := c.Delete(ctx); err != nil {
		return false, &notRemovedError{err}
	}
	return len(inventory.Nodes) > 0, nil
}

// notRemovedError means that the cluster was found, and is not gone.
type notRemovedError struct{ err error }

func (e *notRemovedError) Error() string { return e.err.Error() }
func (e *notRemovedError) Unwrap() error { return e.err }

// Open returns the cluster of a sandbox that is up. The error is a *NotUpError if the sandbox is not up.
func Open(ctx context.Context, f Folders, name string) (cluster.Cluster, error) {
	if err := CheckName(name); err != nil {
		return cluster.Cluster{}, err
	}
	s, err := readState(f, name)
	if err != nil {
		return cluster.Cluster{}, err
	}
	if _, err := os.Stat(f.Kubeconfig(name)); s.Engine == "" || s.Created.IsZero() || errors.Is(err, fs.ErrNotExist) {
		return cluster.Cluster{}, remedy.Wrap(&NotUpError{Name: name}, remedy.Command("up"))
	}
	if _, err := PrepareEngines(f); err != nil {
		return cluster.Cluster{}, err
	}
	return clusterOf(f, name, s), nil
}

// NotUpError is the error for a sandbox that is not up. Name is its name.
type NotUpError struct{ Name string }

// Error names the sandbox.
func (e *NotUpError) Error() string { return fmt.Sprintf("sandbox %q is not up", e.Name) }
