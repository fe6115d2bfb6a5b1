package scenarios

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
)

// steps does the steps in order. If the condition of one does not become true, the steps after it are left out.
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
			r.log.note("step", s.Name, "its condition was not met: the steps after it are left out")
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
	if met, err := r.waitFor(ctx, s, out); err != nil || !met {
		return false, err
	}
	return true, r.measure(ctx, s)
}

// waitFor waits until the condition of a step is true.
func (r *run) waitFor(ctx context.Context, s spec.Step, out *report.Step) (met bool, err error) {
	if s.WaitFor == nil {
		return true, nil
	}
	w := s.WaitFor.String()
	if s.Action != nil {
		out.Detail += ", then " + w
	}
	r.log.note("step", s.Name, w)
	window := slidingWindow{phase: "steps", hold: s.WaitFor.Hold, passing: true}
	findings, _, err := r.await(ctx, window, s.WaitFor.Within, []expect.Expectation{s.WaitFor.Condition})
	for i := range findings {
		findings[i].Step = s.Name
	}
	r.report.Expectations = append(r.report.Expectations, findings...)
	return report.AllMet(findings), err
}

// unreadLimit is how much longer than its window a measurement may take because its numbers cannot be read.
const unreadLimit = 5 * time.Second

// measure judges what a step expects over a window that starts now. It is no error if that is not true.
func (r *run) measure(ctx context.Context, s spec.Step) error {
	if s.Measure == nil {
		return nil
	}
	w := slidingWindow{phase: "measure", hold: &s.Measure.For, from: r.Clock.Now()}
	r.log.note("step", s.Name, fmt.Sprintf("measure for %s", s.Measure.For))
	for {
		if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
			return err
		}
		over := r.Clock.Now().Sub(w.from)
		if over < s.Measure.For {
			r.samplePods(ctx, s.Measure.Expect)
			continue
		}
		findings, _, _ := r.judge(ctx, w, s.Measure.Expect)
		if slices.ContainsFunc(findings, report.Finding.IsUnknown) && over < s.Measure.For+unreadLimit {
			continue
		}
		setSeconds(findings, s.Measure.For)
		for i := range findings {
			findings[i].Step = s.Name
			r.log.note("step", s.Name, fmt.Sprintf("%s: %s, wanted %s", findings[i].Name, findings[i].ObservedText(), findings[i].LimitText()))
		}
		r.report.Expectations = append(r.report.Expectations, findings...)
		return ctx.Err()
	}
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
	c, err := r.intend(s.Kind, s.Name, e)
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
		// heal has no Undo. The change that it undoes is taken out of the assumptions when it is undone.
		if e.Undo != nil {
			r.assumed = r.assumed.With(s.Name, e.Assumes)
		}
		if disturbs {
			r.lastChange.set(r.Clock.Now(), e.Settled)
		}
	}
	if err := clock.Pause(ctx, r.Clock, e.Hold); err != nil {
		return err
	}
	if e.Revert {
		return r.undoAndTime(ctx, c)
	}
	return nil
}

// intend writes an effect to the journal.
func (r *run) intend(kind, step string, e action.Effect) (*journal.Change, error) {
	entry, err := r.journal.Intend(journal.Entry{At: r.Clock.Now(), Kind: kind, Step: step, Detail: e.Detail}, e.Undo)
	if err != nil {
		return nil, err
	}
	c := &journal.Change{Effect: e, Entry: entry, Undone: e.Undo == nil}
	r.done = append(r.done, c)
	return c, nil
}

// heal undoes an earlier step. A step that is already undone stays so.
func (r *run) heal(ctx context.Context, step string) error {
	for _, c := range slices.Backward(r.done) {
		if c.Entry.Step == step && !c.Undone {
			return r.undoAndTime(ctx, c)
		}
	}
	return nil
}

// undoAndTime undoes a change; recovery is timed from there.
func (r *run) undoAndTime(ctx context.Context, c *journal.Change) error {
	if err := r.undo(ctx, c); err != nil {
		return err
	}
	r.healed = r.Clock.Now()
	r.lastChange.set(r.healed, c.Effect.UndoSettled)
	return nil
}

// markUndone records that a change is undone.
func (r *run) markUndone(c *journal.Change) {
	r.report.Cleanup.Undone = append(r.report.Cleanup.Undone, c.Entry.Detail)
	r.drop(c)
}

// drop takes a change out of what has to be undone. If the journal cannot be written, as on a full disk, the next Undo finds the value restored.
func (r *run) drop(c *journal.Change) {
	c.Undone = true
	if err := r.journal.Undone(r.Clock.Now(), c.Entry.Number); err != nil {
		r.log.note("phase", "journal", err.Error())
	}
}
