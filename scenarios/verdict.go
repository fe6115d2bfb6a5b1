package scenarios

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// recover waits until everything in recover is true again.
func (r *run) recover(ctx context.Context) error {
	if r.cutShort || len(r.Recover.Expect) == 0 {
		return nil
	}
	findings, since, err := r.await(ctx, r.recoveryWindow(), r.Recover.Within, r.Recover.Expect)
	r.report.Expectations = append(r.report.Expectations, findings...)
	if err != nil {
		return err
	}
	from := r.healed
	if from.IsZero() {
		from = r.fault
	}
	if report.AllMet(findings) && !from.IsZero() {
		r.report.Recovery.RecoverSeconds = new(report.Seconds(max(0, since.Sub(from))))
		r.log.note("phase", "recover", "everything holds again, since "+elapsed(since.Sub(r.report.StartedAt)))
	}
	return nil
}

// verdictTries is how often the breakers are read again if they could not be read for the verdict.
const verdictTries = 20

// verdict stops the loads and judges what was observed since they started.
func (r *run) verdict(ctx context.Context) error {
	r.stopSampling()
	for _, c := range r.done {
		if c.Entry.Kind == journal.LoadKind && !c.Undone {
			if err := r.stopLoad(ctx, c); err != nil {
				return err
			}
		}
	}
	// Events of the last changes may not have arrived yet.
	if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
		return err
	}
	e := r.evidence(ctx)
	for tries := 0; e.UnknownTraces != "" && tries < verdictTries; tries++ {
		if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
			return err
		}
		e = r.evidence(ctx)
	}
	e.Loads, e.Value = r.final, r.value(ctx, r.Clock.Now().Sub(r.report.StartedAt))
	findings := expect.CheckAll("verdict", r.Expect, e)
	setSeconds(findings, r.Clock.Now().Sub(r.report.StartedAt))
	if ctx.Err() != nil {
		// What could not be read because of an interruption is not a failure.
		return ctx.Err()
	}
	r.report.Expectations = append(r.report.Expectations, findings...)
	return nil
}

// stopLoad undoes a load's start and keeps its last reading.
func (r *run) stopLoad(ctx context.Context, c *journal.Change) error {
	name := target.ShortName(c.Effect.Undo.(journal.StopLoad).Load)
	last, err := r.target.Loads.Stop(ctx, name)
	if err != nil {
		return fmt.Errorf("stopping load %s: %w", name, err)
	}
	// The load started with the run, so every call without an answer is one that it sent.
	r.final[name] = last.WithUnanswered()
	r.log.note("load", name, "stop")
	r.markUndone(c)
	return nil
}
