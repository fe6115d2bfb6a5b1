package live

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/release"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// ReleaseStatus is the state of one release of the catalog.
type ReleaseStatus struct {
	// Release is the entry of the catalog.
	Release charts.Release
	// Version is the version of the chart. It is empty if the release is not installed.
	Version string
	// Why is the reason if the release is not ready. It is empty if it is ready.
	Why string
	// Drift lists the objects that differ from the manifests of the release. See Cluster.Releases for what does not count.
	Drift []release.Drift
}

// Releases returns the state of every release: installed, ready, and the objects that were changed by hand. Fields that a run
// has changed and will revert do not count as drift.
func (c *Cluster) Releases(ctx context.Context) ([]ReleaseStatus, error) {
	held, err := HeldFields(c.Folders, c.Name)
	if err != nil {
		return nil, err
	}
	catalog := sandbox.Releases()
	all := make([]ReleaseStatus, len(catalog))
	group, ctx := errgroup.WithContext(ctx)
	for i, r := range catalog {
		group.Go(func() (err error) {
			all[i], err = c.release(ctx, r, held)
			return err
		})
	}
	return all, group.Wait()
}

func (c *Cluster) release(ctx context.Context, r charts.Release, held []string) (ReleaseStatus, error) {
	one := ReleaseStatus{Release: r}
	states, err := release.List(ctx, c.Node.Kubeconfig, r.Namespace)
	if err != nil {
		return one, err
	}
	if one.Version, one.Why = installedAs(r, states); one.Why == "" {
		one.Why, err = sandbox.NotReadyReason(ctx, c.Kube, r)
	}
	if err != nil {
		return one, err
	}
	drift, err := release.Drifted(ctx, c.Node.Kubeconfig, r.Namespace, r.Name, held)
	if ctx.Err() != nil {
		return one, ctx.Err()
	}
	return one.withDrift(drift, err), nil
}

// withDrift adds the result of a comparison. A release that cannot be compared, for example because the webhook for its objects is gone, is not
// ready.
func (s ReleaseStatus) withDrift(drift []release.Drift, err error) ReleaseStatus {
	s.Drift = drift
	if err != nil && s.Why == "" {
		s.Why = err.Error()
	}
	return s
}

// installedAs returns the version of a release, and why Helm does not call it deployed; empty when it does.
func installedAs(r charts.Release, states []release.State) (version, why string) {
	for _, state := range states {
		switch {
		case state.Name != r.Name || state.Namespace != r.Namespace:
		case state.Status != "deployed":
			return state.Version, "its Helm release is " + state.Status
		default:
			return state.Version, ""
		}
	}
	return "", "not installed"
}

// Leftovers lists what killed runs of a sandbox left changed. It does not include the changes of a run in progress.
func Leftovers(folders sandbox.Folders, name string) ([]scenarios.Leftover, error) {
	running := 0
	if h, held := sandbox.Holder(folders, name); held && h.Is("run") {
		running = h.PID
	}
	left, err := scenarios.Leftovers(folders.Journal(name), running)
	if left == nil {
		left = []scenarios.Leftover{}
	}
	return left, err
}

// HeldFields lists the fields that runs, killed or in progress, have changed and will revert, as in release.Drifted.
func HeldFields(folders sandbox.Folders, name string) ([]string, error) {
	all, err := scenarios.Leftovers(folders.Journal(name), 0)
	var held []string
	for _, l := range all {
		if l.Field != "" {
			held = append(held, l.Field)
		}
	}
	return held, err
}
