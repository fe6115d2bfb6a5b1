package scenarios

import (
	"context"
	"fmt"
)

// recover waits for the world to hold again what the scenario asks of it.
func (r *run) recover(ctx context.Context) error {
	if r.cutShort || len(r.Recover.Expect) == 0 {
		return nil
	}
	findings, err := r.await(ctx, "recover", r.Recover.Within, r.Recover.Expect)
	r.report.Expectations = append(r.report.Expectations, findings...)
	if err != nil {
		return err
	}
	from := r.healed
	if from.IsZero() {
		from = r.fault
	}
	if allHeld(findings) && !from.IsZero() {
		r.report.Recovery.RecoverSeconds = new(seconds(r.Clock.Now().Sub(from)))
		r.log.note("phase", "recover", "everything holds again")
	}
	return nil
}

// verdict stops the loads, and judges all that was observed from their start on.
func (r *run) verdict(ctx context.Context) error {
	r.rest()
	for _, a := range r.done {
		if a.Kind == loadStart && !a.undone {
			if err := r.stopLoad(ctx, a); err != nil {
				return err
			}
		}
	}
	// The last changes may still be on their way.
	if err := pause(ctx, r.Clock, pulse); err != nil {
		return err
	}
	e := r.evidence(ctx)
	e.loads = r.final
	findings := check("verdict", r.Expect, e)
	if ctx.Err() != nil {
		return ctx.Err() // what was not read has not failed to hold
	}
	r.report.Expectations = append(r.report.Expectations, findings...)
	return nil
}

// stopLoad undoes a load's start and keeps its last reading.
func (r *run) stopLoad(ctx context.Context, a *done) error {
	name := shortName(a.undo.(loadStop).Load)
	last, err := r.target.Loads.Stop(ctx, name)
	if err != nil {
		return fmt.Errorf("stopping load %s: %w", name, err)
	}
	r.final[name] = last.unanswered() // it began with the run, so that nothing was in flight before
	r.log.note("load", name, "stop")
	r.putAway(a)
	return nil
}
