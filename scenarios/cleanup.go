package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// retryInterval is the time between two attempts to undo what could not be undone.
const retryInterval = time.Second

// cleanup undoes what is not yet undone, the latest change first, with a context of its own. Then it checks that the cluster is as before the run.
func (r *run) cleanup(ctx context.Context) error {
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Cleanup)
	defer cancel()
	failed := r.undoAll(fresh)
	for len(failed) > 0 && clock.Pause(fresh, r.Clock, retryInterval) == nil {
		failed = r.undoAll(fresh)
	}
	// The check has a limit of its own, because undoing may have used up the other one. If something was not undone, waiting does not help.
	settle := r.Settle
	if len(failed) > 0 {
		settle = 0
	}
	checking, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle+journal.UndoTimeout)
	defer cancel()
	residue := slices.Concat(failed, r.residue(checking, settle))
	r.report.Cleanup.Residue = append(r.report.Cleanup.Residue, residue...)
	if err := r.journal.Finish(len(failed) == 0); err != nil {
		r.log.note("phase", "cleanup", err.Error())
	}
	for _, left := range residue {
		r.log.note("phase", "residue", left)
	}
	if len(residue) > 0 {
		return leftBehind(residue, len(failed) > 0)
	}
	return nil
}

// undoAll tries every change, even if one fails, and describes those that failed.
func (r *run) undoAll(ctx context.Context) []string {
	var failed []string
	for _, c := range slices.Backward(r.done) {
		if c.Undone {
			continue
		}
		if err := r.undoOne(ctx, c); err != nil {
			failed = append(failed, fmt.Sprintf("not undone: %s: %s", c.Entry.Detail, err))
		}
	}
	return failed
}

func (r *run) undoOne(ctx context.Context, c *journal.Change) error {
	ctx, cancel := context.WithTimeout(ctx, journal.UndoTimeout)
	defer cancel()
	if c.Entry.Kind == journal.LoadKind {
		err := r.stopLoad(ctx, c)
		if errors.Is(err, target.ErrNoLoad) {
			r.markUndone(c)
			return nil
		}
		return err
	}
	return r.undo(ctx, c)
}

// undo undoes a change, or leaves it alone if another program has changed the value since.
func (r *run) undo(ctx context.Context, c *journal.Change) error {
	how, err := r.done.Undo(ctx, r.cluster, c)
	if changed := journal.AsChanged(err); changed != nil {
		if !changed.Reported {
			how = c.Entry.Detail + ": " + changed.Error()
			r.report.Cleanup.LeftAlone = append(r.report.Cleanup.LeftAlone, how)
			r.log.note("step", c.Entry.Step, how)
		}
		c.LeftAlone = true
		r.drop(c)
		return nil
	}
	if err != nil {
		return err
	}
	r.log.note("step", c.Entry.Step, how)
	r.assumed = r.assumed.With("", action.Assumption{Undoes: c.Entry.Step})
	r.markUndone(c)
	return nil
}

// residue waits up to settle for the cluster to be as it was before, and describes what still differs.
func (r *run) residue(ctx context.Context, settle time.Duration) []string {
	limit := r.Clock.Now().Add(settle)
	for {
		left := r.differences(ctx)
		if len(left) == 0 || !r.Clock.Now().Before(limit) || clock.Pause(ctx, r.Clock, watch.Interval) != nil {
			return left
		}
	}
}

func (r *run) differences(ctx context.Context) []string {
	var left []string
	for _, c := range r.done {
		if c.Entry.Kind != journal.LoadKind {
			continue
		}
		name := target.ShortName(c.Effect.Undo.(journal.StopLoad).Load)
		if _, err := r.target.Loads.Read(ctx, name); err == nil {
			left = append(left, fmt.Sprintf("load %s still runs", name))
		} else if !errors.Is(err, target.ErrNoLoad) {
			left = append(left, fmt.Sprintf("load %s: not known whether it runs: %s", name, err))
		}
	}
	left = append(left, r.residueOfChanges(ctx)...)
	for _, release := range slices.Sorted(maps.Keys(r.before)) {
		was := r.before[release]
		is, err := r.countOf(ctx, release)
		switch {
		case err != nil:
			left = append(left, err.Error())
		case r.leftAlone(release):
		case is.replicas != was.replicas:
			left = append(left, fmt.Sprintf("%s wants %d replicas, before the run it wanted %d", release, is.replicas, was.replicas))
		case is.ready < was.ready:
			left = append(left, fmt.Sprintf("%s has %d ready pods, before the run it had %d", release, is.ready, was.ready))
		}
	}
	return left
}

// residueOfChanges returns what is left of the changes that can tell.
func (r *run) residueOfChanges(ctx context.Context) (left []string) {
	for _, c := range r.done {
		reversal, ok := c.Effect.Undo.(action.Residual)
		if !ok || c.LeftAlone {
			continue
		}
		what, err := reversal.Left(ctx, r.target)
		switch {
		case err != nil:
			left = append(left, err.Error())
		case what != "":
			left = append(left, what)
		}
	}
	return left
}

// leftAlone reports whether another program has changed the replicas of a release during the run.
func (r *run) leftAlone(release string) bool {
	return slices.ContainsFunc(r.done, func(c *journal.Change) bool {
		of, ok := c.Effect.Undo.(action.OfRelease)
		return ok && c.LeftAlone && of.ChangedRelease() == release
	})
}
