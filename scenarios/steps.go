package scenarios

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// done is a journalled deed.
type done struct {
	deed
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

func (r *run) step(ctx context.Context, i int, s Step, out *report.Step) (met bool, err error) {
	if s.Action != nil {
		r.stage.step = i
		d, err := s.Action.resolve(ctx, r.stage)
		if err != nil {
			return false, err
		}
		out.Detail, out.Touches = d.detail, d.touch
		if err := r.act(ctx, s, d); err != nil {
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

// act journals a deed, does it, and lets it last.
func (r *run) act(ctx context.Context, s Step, d deed) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	a, err := r.intend(s.Kind, s.Name, d)
	if err != nil {
		return err
	}
	r.log.note("step", s.Name, d.detail)
	if actionKind(s.Kind).Disturbs && r.fault.IsZero() {
		r.fault = r.Clock.Now()
	}
	if d.do != nil {
		if err := d.do(ctx); err != nil {
			return err
		}
		if actionKind(s.Kind).Disturbs {
			r.calm.changed(r.Clock.Now(), d.took)
		}
	}
	if err := clock.Pause(ctx, r.Clock, d.hold); err != nil {
		return err
	}
	if d.revert {
		return r.putBack(ctx, a)
	}
	return nil
}

func (r *run) intend(kind, step string, d deed) (*done, error) {
	e, err := r.journal.intend(r.Clock.Now(), kind, step, d.detail, d.undo)
	if err != nil {
		return nil, err
	}
	a := &done{deed: d, entry: e, undone: d.undo == nil}
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
	r.calm.changed(r.healed, a.deed.back)
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
