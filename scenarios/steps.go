package scenarios

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
)

// done is an effect that is written to the journal.
type done struct {
	Effect action.Effect
	entry
	undone bool // or left alone
	alone  bool // another program has changed the value since
}

// steps does the steps in order; one whose condition does not come true is the last.
func (r *run) steps(ctx context.Context) error {
	defer r.followRecovery(ctx)()
	for i, s := range r.Steps {
		out := &r.report.Steps[i]
		if err := clock.Pause(ctx, r.Clock, s.After); err != nil {
			return err
		}
		out.StartedAt = new(r.Clock.Now())
		met, err := r.step(ctx, i, s, out)
		if err != nil {
			out.Result = "failed"
			if ctx.Err() != nil {
				out.Result = "interrupted"
			}
			return fmt.Errorf("doing step %q: %w", s.Name, err)
		}
		out.Result = "done"
		if !met {
			out.Result = "failed"
			r.cutShort = true
			r.log.note("step", s.Name, "its condition did not come true: the steps after it are left out")
			return nil
		}
	}
	return nil
}

func (r *run) step(ctx context.Context, i int, s spec.Step, out *report.Step) (met bool, err error) {
	if s.Action != nil {
		e, err := s.Action.Resolve(ctx, r.actionContext(i))
		if err != nil {
			return false, err
		}
		out.Detail, out.Touches = e.Detail, e.Touches
		if err := r.act(ctx, s, e); err != nil {
			return false, err
		}
	}
	if s.WaitFor == nil {
		return true, nil
	}
	w := s.WaitFor.String()
	if s.Action != nil {
		out.Detail += ", then " + w
	}
	r.log.note("step", s.Name, w)
	how := sliding{phase: "steps", hold: s.WaitFor.Hold, passing: true}
	findings, _, err := r.await(ctx, how, s.WaitFor.Within, []expect.Expectation{s.WaitFor.Condition})
	for i := range findings {
		findings[i].Step = s.Name
	}
	r.report.Expectations = append(r.report.Expectations, findings...)
	return report.AllMet(findings), err
}

// actionContext returns what the action of a step sees of the run.
func (r *run) actionContext(step int) action.Context {
	return action.Context{
		Target: r.target, Loads: r.Load, LoadPrefix: r.loadPrefix(), Seed: r.Seed, Step: step, Assumed: r.assumed, UndoStep: r.heal,
	}
}

// act writes an effect to the journal, does it, and waits for its hold.
func (r *run) act(ctx context.Context, s spec.Step, e action.Effect) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	a, err := r.intend(s.Kind, s.Name, e)
	if err != nil {
		return err
	}
	r.log.note("step", s.Name, e.Detail)
	disturbs := action.Find(s.Kind).Disturbs
	if disturbs && r.fault.IsZero() {
		r.fault = r.Clock.Now()
	}
	if e.Do != nil {
		if err := e.Do(ctx); err != nil {
			return err
		}
		if e.Undo != nil { // what heal undoes is taken out once it is undone
			r.assumed = r.assumed.With(s.Name, e.Assumes)
		}
		if disturbs {
			r.calm.changed(r.Clock.Now(), e.Settled)
		}
	}
	if err := clock.Pause(ctx, r.Clock, e.Hold); err != nil {
		return err
	}
	if e.Revert {
		return r.putBack(ctx, a)
	}
	return nil
}

func (r *run) intend(kind, step string, e action.Effect) (*done, error) {
	line, err := r.journal.intend(r.Clock.Now(), kind, step, e.Detail, e.Undo)
	if err != nil {
		return nil, err
	}
	a := &done{Effect: e, entry: line, undone: e.Undo == nil}
	r.done = append(r.done, a)
	return a, nil
}

// heal puts an earlier step back; one that is back already stays so.
func (r *run) heal(ctx context.Context, step string) error {
	for i := len(r.done) - 1; i >= 0; i-- {
		if a := r.done[i]; a.Step == step && !a.undone {
			return r.putBack(ctx, a)
		}
	}
	return nil
}

// putBack undoes one deed, once, and times recovery from there.
func (r *run) putBack(ctx context.Context, a *done) error {
	if err := r.undo(ctx, a); err != nil {
		return err
	}
	r.healed = r.Clock.Now()
	r.calm.changed(r.healed, a.Effect.UndoSettled)
	return nil
}

// putAway records that a deed is undone.
func (r *run) putAway(a *done) {
	r.report.Cleanup.Undone = append(r.report.Cleanup.Undone, a.Detail)
	r.resolve(a)
}

// resolve takes a deed out of what has to be undone. When the journal cannot be written, as on a full disk, the next Undo finds the value
// restored.
func (r *run) resolve(a *done) {
	a.undone = true
	if err := r.journal.undone(r.Clock.Now(), a.Number); err != nil {
		r.log.note("phase", "journal", err.Error())
	}
}
