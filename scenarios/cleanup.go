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
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

const (
	oneUndo  = 15 * time.Second // so that one call that hangs does not use up the others' time
	tryAgain = time.Second
)

// cleanup undoes what is not yet undone, the latest first, with a context of its own, then checks.
func (r *run) cleanup(ctx context.Context) error {
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Cleanup)
	defer cancel()
	failed := r.undoAll(fresh)
	for len(failed) > 0 && clock.Pause(fresh, r.Clock, tryAgain) == nil {
		failed = r.undoAll(fresh)
	}
	// The check has a limit of its own: undoing may have used up the other. What was not undone does not get better by waiting.
	settle := r.Settle
	if len(failed) > 0 {
		settle = 0
	}
	checking, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle+oneUndo)
	defer cancel()
	residue := slices.Concat(failed, r.residue(checking, settle))
	r.report.Cleanup.Residue = append(r.report.Cleanup.Residue, residue...)
	if err := r.journal.finish(len(failed) == 0); err != nil {
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

// undoAll tries every entry even when one fails, and describes the ones that did.
func (r *run) undoAll(ctx context.Context) []string {
	var failed []string
	for _, a := range slices.Backward(r.done) {
		if a.undone {
			continue
		}
		if err := r.undoOne(ctx, a); err != nil {
			failed = append(failed, fmt.Sprintf("not undone: %s: %s", a.Detail, err))
		}
	}
	return failed
}

func (r *run) undoOne(ctx context.Context, a *done) error {
	ctx, cancel := context.WithTimeout(ctx, oneUndo)
	defer cancel()
	if a.Kind == loadStart {
		err := r.stopLoad(ctx, a)
		if errors.Is(err, ErrNoLoad) {
			r.putAway(a)
			return nil
		}
		return err
	}
	return r.undo(ctx, a)
}

// undo puts a change back, or leaves it alone where another program has changed the value since.
func (r *run) undo(ctx context.Context, a *done) error {
	how, err := r.done.undo(ctx, r.world, a)
	if changed := asChanged(err); changed != nil {
		if !changed.Reported {
			how = a.Detail + ": " + changed.Error()
			r.report.Cleanup.LeftAlone = append(r.report.Cleanup.LeftAlone, how)
			r.log.note("step", a.Step, how)
		}
		a.alone = true
		r.resolve(a)
		return nil
	}
	if err != nil {
		return err
	}
	r.log.note("step", a.Step, how)
	r.assumed = r.assumed.With("", action.Assumption{Undoes: a.Step})
	r.putAway(a)
	return nil
}

// residue waits up to settle for the world to look as it did before, and names what still does not.
func (r *run) residue(ctx context.Context, settle time.Duration) []string {
	limit := r.Clock.Now().Add(settle)
	for {
		left := r.differences(ctx)
		if len(left) == 0 || !r.Clock.Now().Before(limit) || clock.Pause(ctx, r.Clock, pulse) != nil {
			return left
		}
	}
}

func (r *run) differences(ctx context.Context) []string {
	var left []string
	for _, a := range r.done {
		if a.Kind != loadStart {
			continue
		}
		name := target.ShortName(a.Effect.Undo.(loadStop).Load)
		if _, err := r.target.Loads.Read(ctx, name); err == nil {
			left = append(left, fmt.Sprintf("load %s still runs", name))
		} else if !errors.Is(err, ErrNoLoad) {
			left = append(left, fmt.Sprintf("load %s: not known whether it runs: %s", name, err))
		}
	}
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

// leftAlone reports whether another program has changed the replicas of a release during the run.
func (r *run) leftAlone(release string) bool {
	return slices.ContainsFunc(r.done, func(a *done) bool {
		of, ok := a.Effect.Undo.(action.OfRelease)
		return ok && a.alone && of.ChangedRelease() == release
	})
}
