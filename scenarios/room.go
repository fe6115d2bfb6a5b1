package scenarios

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
)

// reachable refuses to wait for more ready pods than a release will want at that point.
func (r *run) reachable(ctx context.Context, assumed action.State, step int, x expect.Expectation) error {
	about, ok := x.(expect.OfPods)
	if !ok {
		return nil
	}
	release, want := about.Pods()
	n, changed := assumed.Replicas(release)
	if !changed {
		was, err := r.countOf(ctx, release)
		if err != nil {
			return err
		}
		n = was.replicas
	}
	switch {
	case n >= want:
		return nil
	case !changed:
		// The cause is the cluster, not the file.
		return &action.TooFewPodsError{
			Text: fmt.Sprintf("waiting for %d ready pods of %s: it wants %d", want, release, n),
			Try:  []remedy.Remedy{remedy.Command("status"), remedy.Command("up")},
		}
	}
	path := r.WaitForPath(step)
	return r.Mistake(path+".replicas", remedy.Advice(fmt.Sprintf("replicas: %d, or scale it first", max(1, n))),
		"%d pods of %s will never be ready: it will want %d at that point", want, release, n)
}

// roomFor refuses to start more pods of a release than the node has room for.
func (r *run) roomFor(ctx context.Context, step int, e action.Effect) error {
	for release, n := range e.Assumes.Replicas {
		before := e.Touches.OfPods
		if n <= before || r.Room == nil {
			continue
		}
		room, err := r.Room(ctx, release)
		if err != nil {
			return fmt.Errorf("asking for room on the node: %w", err)
		}
		if n-before > room {
			return r.Mistake(r.ActionPath(step)+".replicas", remedy.Value(fmt.Sprintf("replicas: %d", before+room)),
				"the node has room for %d more pods of %s in addition to its %d, not for %d", room, release, before, n-before)
		}
	}
	return nil
}
