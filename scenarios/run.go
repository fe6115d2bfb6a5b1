package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Options are a run's; every zero value means what its comment says.
type Options struct {
	Clock    Clock               // nil: the wall clock
	Journal  string              // folder for what must be undone; needed unless DryRun
	Observer func(telemetry.Run) // nil: nobody; called from one goroutine, and may skip versions when slow
	DryRun   bool                // plan only
	Cleanup  time.Duration       // limit for undoing; 0: one minute
	Settle   time.Duration       // how long the residue check waits for pods to be ready again; 0: 30 s

	// Room returns how many more pods of a release the node has room for; nil: not known.
	Room func(ctx context.Context, release string) (int, error)
}

// A run is one execution of one scenario.
type run struct {
	Scenario
	Options
	target Target
	stage  *stage
	log    *timeline
	report Report

	journal *journal
	done    []*done           // journalled, in order
	before  map[string]counts // of each release that a step changes
	sampler *sampler
	pods    *podWatch
	calm    calm
	watch   *breakerWatch
	rest    func()                 // stops sampling; what was sampled stays
	final   map[string]LoadReading // from start to stop

	fault, healed time.Time
	unclean       error // what clean-up could not do
	cutShort      bool  // a step's condition did not come true
}

// A phase is one part of a run.
type phase struct {
	name string
	do   func(context.Context) error
}

// Run executes a scenario: plan, steady state, steps, recovery, verdict, and always clean-up. Its error is nil when there is a
// verdict, or a limit stopped the run; the report is complete in every case.
func Run(ctx context.Context, sc Scenario, target Target, opts Options) (Report, error) {
	r := newRun(sc, target, opts)
	if opts.DryRun {
		if err := r.plan(ctx); err != nil {
			return r.close(ctx, err)
		}
		r.report.Result = Planned
		r.report.Summary = r.report.summary()
		return r.report, nil
	}
	if opts.Journal == "" {
		return r.close(ctx, errors.New("starting a run: no journal folder was given"))
	}
	unlock, err := lock(opts.Journal)
	if err != nil {
		return r.close(ctx, err)
	}
	viewing, blank := context.WithCancel(context.WithoutCancel(ctx))
	var viewer sync.WaitGroup
	if opts.Observer != nil {
		viewer.Go(func() { r.log.show(viewing, opts.Observer) })
	}
	report, err := r.close(ctx, r.perform(ctx))
	blank()
	viewer.Wait()
	return report, errors.Join(err, unlock())
}

func newRun(sc Scenario, target Target, opts Options) *run {
	if opts.Clock == nil {
		opts.Clock = wallClock{}
	}
	if opts.Cleanup == 0 {
		opts.Cleanup = time.Minute
	}
	if opts.Settle == 0 {
		opts.Settle = 30 * time.Second
	}
	r := &run{
		Scenario: sc, Options: opts, target: target, stage: newStage(sc, target), log: newTimeline(opts.Clock, sc.Name),
		before: map[string]counts{}, final: map[string]LoadReading{},
		sampler: newSampler(sc, target.Loads, opts.Clock), pods: newPodWatch(sc, target.Workloads, opts.Clock), rest: func() {},
	}
	r.stage.heal = r.heal
	r.report = Report{
		Scenario: sc.Name, Seed: sc.Seed, StartedAt: opts.Clock.Now(), Steps: []StepReport{}, Timeline: []Moment{},
		Expectations: []Finding{}, Load: []LoadReport{}, Cleanup: Cleanup{Undone: []string{}, Residue: []string{}},
	}
	return r
}

// perform does the phases in order, and cleans up after them however they end.
func (r *run) perform(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	watching, unwatch := context.WithCancel(working)
	var background sync.WaitGroup
	err := r.begin(watching, &background)
	for _, p := range []phase{
		{"plan", r.plan},
		{"steady", func(ctx context.Context) error { return r.steady(ctx, &background, stop) }},
		{"steps", r.steps},
		{"recover", r.recover},
		{"verdict", r.verdict},
	} {
		if err == nil && working.Err() != nil {
			err = context.Cause(working)
		}
		if err != nil {
			break
		}
		r.log.phase(p.name)
		if err = p.do(working); err != nil && working.Err() != nil {
			err = context.Cause(working)
		}
	}
	r.rest()
	unwatch()
	background.Wait()
	stop(nil)
	if r.watch != nil {
		r.report.Recovery = r.report.Recovery.ofBreakers(r.watch.snapshot(), r.fault, r.Clock.Now())
	}
	r.log.phase("cleanup")
	r.unclean = r.cleanup(ctx)
	return err
}

// open undoes what earlier runs left, and opens the journal of this one.
func (r *run) open(ctx context.Context) error {
	undone, err := undoLeftovers(ctx, r.target, r.Journal)
	for _, u := range undone {
		r.log.note("phase", "undo", "left by a killed run: "+u)
	}
	if err == nil && len(undone) > 0 {
		err = r.settle(ctx)
	}
	if err != nil {
		return err
	}
	r.journal, err = openJournal(r.Journal, r.Name, r.Clock.Now())
	return err
}

// begin follows the breakers from before anything happens.
func (r *run) begin(ctx context.Context, background *sync.WaitGroup) error {
	watch, events, err := watchBreakers(ctx, r.target.Breakers, r.Clock, func(c BreakerChange) { r.log.event(breakerEvent(c)) })
	if err != nil {
		return err
	}
	r.watch = watch
	background.Go(func() { watch.run(ctx, events) })
	return nil
}

// close turns how the work ended into the report's result.
func (r *run) close(ctx context.Context, err error) (Report, error) {
	result, message, err := r.outcome(ctx, err)
	r.report.Result, r.report.Message = result, message
	for _, l := range r.Load {
		if reading, ok := r.final[l.Name]; ok {
			r.report.Load = append(r.report.Load, loadReport(l.Name, reading, r.report.StartedAt))
			r.report.Recovery = r.report.Recovery.ofCalls(reading.Failures, r.fault)
		}
	}
	if result != Planned {
		r.report.Expectations = withUnjudged(r.Scenario, r.report.Expectations)
	}
	r.report.Summary = r.report.summary()
	r.log.result(string(result))
	r.log.phase("done")
	r.report.Timeline = ordered(r.log.snapshot().Timeline, r.report.StartedAt)
	r.report.Seconds = seconds(r.Clock.Now().Sub(r.report.StartedAt))
	return r.report, err
}

// outcome weighs what ended the work first, then the expectations, then what clean-up left: a verdict outlives a bad clean-up.
func (r *run) outcome(ctx context.Context, err error) (Result, string, error) {
	var aborted *abortError
	var unhealthy *unhealthyError
	failed := 0
	for _, f := range r.report.Expectations {
		if !f.Held() {
			failed++
		}
	}
	switch {
	case errors.As(err, &aborted):
		return Aborted, aborted.Error(), nil
	case errors.As(err, &unhealthy):
		return Fail, unhealthy.Error(), nil
	case err != nil && ctx.Err() != nil:
		return Error, "interrupted", fmt.Errorf("running %s: interrupted: %w", r.Name, ctx.Err())
	case err != nil:
		return Error, err.Error(), fmt.Errorf("running %s: %w", r.Name, errors.Join(err, r.unclean))
	case failed > 0:
		return Fail, fmt.Sprintf("%d of %d expectations did not hold", failed, len(r.report.Expectations)), nil
	case r.unclean != nil:
		return Error, r.unclean.Error(), fmt.Errorf("running %s: %w", r.Name, r.unclean)
	}
	return Pass, "", nil
}
