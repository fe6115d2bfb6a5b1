package scenarios

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Options are a run's; every zero value means what its comment says.
type Options struct {
	Clock    Clock               // nil: the wall clock
	Journal  string              // folder for what must be undone; needed unless DryRun
	Observer func(telemetry.Run) // nil: nobody; called from one goroutine, and may skip versions when slow
	DryRun   bool                // plan only
	Running  int                 // with DryRun: the process of the run that is under way, whose changes are not left behind; 0: none
	Cleanup  time.Duration       // limit for undoing; 0: one minute
	Settle   time.Duration       // how long the residue check waits for pods to be ready again; 0: 30 s

	// Room returns how many more pods of a release the node has room for; nil: not known.
	Room func(ctx context.Context, release string) (int, error)

	createJournal func(path string) (journal.File, error) // nil: a file; tests fill the disk
}

// A run is one execution of one scenario.
type run struct {
	Scenario
	Options
	name    string // of the run, its journal and its loads
	cluster Target // as the caller gave it, under deadlines
	target  Target // the same, in which the run's loads go by their names in the scenario
	log     *timeline
	report  report.Report

	journal  *journal.Journal
	done     journal.Stack     // journalled, in order
	assumed  action.State      // of the cluster, after what is done and not undone
	before   map[string]counts // of each release that a step changes
	loads    *watch.Loads
	pods     *watch.Pods
	calm     calm
	breakers *watch.Breakers
	rest     func()                 // stops sampling; what was sampled stays
	final    map[string]LoadReading // from start to stop

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
// verdict, or a limit stopped the run, and nothing was left behind; otherwise it is, or has inside, a *LeftError, or there is no verdict. The report
// is complete in every case. The caller holds the sandbox's lock.
func Run(ctx context.Context, sc Scenario, target Target, opts Options) (report.Report, error) {
	r := newRun(sc, target, opts)
	if opts.DryRun {
		if err := r.planOnly(ctx); err != nil {
			return r.close(ctx, err)
		}
		r.report.Result = report.Planned
		r.report.Summary = r.report.Summarize()
		return r.report, nil
	}
	if opts.Journal == "" {
		return r.close(ctx, errors.New("starting a run: no journal folder was given"))
	}
	viewing, blank := context.WithCancel(context.WithoutCancel(ctx))
	var viewer sync.WaitGroup
	if opts.Observer != nil {
		viewer.Go(func() { r.log.show(viewing, opts.Observer) })
	}
	report, err := r.close(ctx, r.perform(ctx))
	blank()
	viewer.Wait()
	return report, err
}

func newRun(sc Scenario, t Target, opts Options) *run {
	if opts.Clock == nil {
		opts.Clock = clock.Wall{}
	}
	if opts.Cleanup == 0 {
		opts.Cleanup = time.Minute
	}
	if opts.Settle == 0 {
		opts.Settle = 30 * time.Second
	}
	name, cluster := runName(sc.Name, opts.Clock.Now()), target.WithDeadlines(t)
	scoped := cluster
	scoped.Loads = target.WithPrefix(cluster.Loads, name+"/")
	r := &run{
		name: name, cluster: cluster,
		Scenario: sc, Options: opts, target: scoped, log: newTimeline(opts.Clock, sc.Name),
		before: map[string]counts{}, final: map[string]LoadReading{},
		loads: watch.NewLoads(sc, scoped.Loads, opts.Clock), pods: watch.NewPods(sc, scoped.Workloads, opts.Clock), rest: func() {},
	}
	r.report = report.Report{
		Scenario: sc.Name, Seed: sc.Seed, StartedAt: opts.Clock.Now(), Steps: []report.Step{}, Timeline: []report.Event{},
		Expectations: []report.Finding{}, Load: []report.Load{}, Cleanup: report.Cleanup{Undone: []string{}, Residue: []string{}},
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
		} else if p.name == "plan" {
			err = r.blameLeftovers(err)
		}
	}
	r.rest()
	unwatch()
	background.Wait()
	stop(nil)
	if r.breakers != nil {
		r.report.Recovery = breakerTimes(r.report.Recovery, r.breakers.Snapshot(), r.fault, r.Clock.Now())
	}
	r.log.phase("cleanup")
	r.unclean = r.cleanup(ctx)
	return err
}

// open undoes what earlier runs left, and opens the journal of this one. What cannot be undone is reported and does not keep the run from starting.
func (r *run) open(ctx context.Context) error {
	undo, err := journal.UndoAll(ctx, r.cluster, r.Journal)
	for _, u := range undo.Undone {
		r.log.note("phase", "undo", "left by a killed run: "+u)
	}
	for _, alone := range undo.LeftAlone {
		r.log.note("phase", "undo", alone)
	}
	for _, left := range undo.Left {
		r.log.note("phase", "undo", "still left by a killed run: "+left.String())
	}
	r.report.LeftBehind = undo.Left
	if err == nil && len(undo.Undone) > 0 {
		err = r.settle(ctx)
	}
	if err != nil {
		return err
	}
	last := 0
	for _, left := range undo.Left {
		last = max(last, left.Number)
	}
	r.journal, err = journal.Start(journal.Options{
		Path: filepath.Join(r.Journal, r.name+journal.Ext), Scenario: r.Name, At: r.Clock.Now(), After: last, Create: r.createJournal,
	})
	return err
}

// begin follows the breakers from before anything happens.
func (r *run) begin(ctx context.Context, background *sync.WaitGroup) error {
	breakers, events, err := watch.WatchBreakers(ctx, r.target.Breakers, r.Clock, func(c BreakerChange) { r.log.event(breakerEvent(c)) })
	if err != nil {
		return err
	}
	r.breakers = breakers
	background.Go(func() { breakers.Run(ctx, events) })
	return nil
}

// close turns how the work ended into the report's result.
func (r *run) close(ctx context.Context, err error) (report.Report, error) {
	result, message, err := r.outcome(ctx, err)
	r.report.Result, r.report.Message = result, message
	for _, l := range r.Load {
		if reading, ok := r.final[l.Name]; ok {
			r.report.Load = append(r.report.Load, report.NewLoad(l.Name, reading, r.report.StartedAt))
			r.report.Recovery = callTimes(r.report.Recovery, reading.Failures, r.fault)
		}
	}
	if result != report.Planned {
		r.report.Expectations = withUnjudged(r.Scenario, r.report.Expectations)
	}
	r.report.Summary = r.report.Summarize()
	r.log.result(string(result))
	r.log.phase("done")
	r.report.Timeline = ordered(r.log.snapshot().Timeline, r.report.StartedAt)
	r.report.Seconds = report.Seconds(r.Clock.Now().Sub(r.report.StartedAt))
	return r.report, err
}

// outcome weighs what ended the work first, then the expectations, then what clean-up left: a verdict outlives a bad clean-up.
func (r *run) outcome(ctx context.Context, err error) (report.Result, string, error) {
	var aborted *watch.LimitError
	var unhealthy *unhealthyError
	failed := 0
	for _, f := range r.report.Expectations {
		if !f.Met() {
			failed++
		}
	}
	switch {
	case errors.As(err, &aborted):
		return report.Aborted, aborted.Error(), r.left()
	case errors.As(err, &unhealthy):
		return report.Fail, unhealthy.Error(), r.left()
	case err != nil && ctx.Err() != nil:
		return report.Error, "interrupted", fmt.Errorf("running %s: interrupted: %w", r.Name, withUnclean(ctx.Err(), r.unclean))
	case err != nil:
		return report.Error, err.Error(), fmt.Errorf("running %s: %w", r.Name, withUnclean(err, r.unclean))
	case failed > 0:
		return report.Fail, fmt.Sprintf("%d of %d expectations did not hold", failed, len(r.report.Expectations)), r.left()
	case r.unclean != nil:
		return report.Pass, r.unclean.Error(), r.left()
	}
	return report.Pass, "", nil
}

// left is what clean-up could not do; nil when nothing was left behind.
func (r *run) left() error {
	if r.unclean == nil {
		return nil
	}
	return fmt.Errorf("running %s: %w", r.Name, r.unclean)
}

func withUnclean(err, unclean error) error {
	if unclean == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, unclean)
}

// runName names a run, its journal and, on the generator, its loads. No other run of the sandbox has the same name.
func runName(scenario string, started time.Time) string {
	return started.UTC().Format("20060102T150405.000000000Z") + "-" + scenario
}

// loadPrefix is what the names of this run's loads start with on the generator.
func (r *run) loadPrefix() string { return r.name + "/" }

func breakerEvent(c target.BreakerChange) telemetry.Event {
	e := telemetry.Event{
		At: c.At, Kind: "breaker",
		Subject: fmt.Sprintf("%s→%s %s", c.From, c.To, c.Method),
		Detail:  fmt.Sprintf("%s→%s", c.Old, c.New),
	}
	if c.Reason != "" {
		e.Detail += ": " + c.Reason
	}
	return e
}
