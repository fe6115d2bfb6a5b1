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
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Options are the options of a run. The comment of each field gives the meaning of its zero value.
type Options struct {
	// Clock is the source of time. nil means the wall clock.
	Clock clock.Clock
	// Journal is the directory of journals. It is required unless DryRun is set.
	Journal string
	// Observer is called from one goroutine with the latest version of the run. It may miss versions if it is slow. nil means no observer.
	Observer func(telemetry.Run)
	// DryRun means that the run is only planned.
	DryRun bool
	// Running is the process ID of the run in progress, whose changes are not leftovers. 0 means that there is none. Only DryRun uses it.
	Running int
	// Cleanup is the time limit for undoing. 0 means one minute.
	Cleanup time.Duration
	// Settle is how long the residue check waits for pods to become ready again. 0 means 30 s.
	Settle time.Duration

	// Room returns how many more pods of a release the node has room for. nil means that it is not known.
	Room func(ctx context.Context, release string) (int, error)

	// createJournal creates the file of the journal. nil means journal.Create. Tests replace it to simulate a full disk.
	createJournal func(path string) (journal.File, error)
}

// run is one execution of one scenario.
type run struct {
	spec.Scenario
	Options
	// name is the name of the run and of its journal, and the prefix of its loads.
	name string
	// cluster is the target that the caller passed, with deadlines.
	cluster target.Target
	// target is the same cluster, in which the run's loads have their names in the scenario.
	target target.Target
	log    *timeline
	report report.Report

	journal *journal.Journal
	// done has the changes in the order in which they were recorded.
	done journal.Stack
	// assumed is the state of the cluster after what is done and not undone.
	assumed action.State
	// before has the pods of each release that a step changes, as they were before the run.
	before   map[string]counts
	loads    *watch.Loads
	pods     *watch.Pods
	breakers *watch.Breakers
	// final has what each load did from its start to its stop.
	final map[string]target.LoadReading

	lastChange lastChange
	// stopSampling stops the sampling of loads. The samples are kept.
	stopSampling func()

	fault, healed time.Time
	// unclean is what clean-up could not undo.
	unclean error
	// cutShort is true if the condition of a step did not become true.
	cutShort bool
}

// phase is one part of a run.
type phase struct {
	name string
	do   func(context.Context) error
}

// Run executes a scenario: plan, steady state, steps, recovery, verdict, and clean-up in every case. The report is complete in every case.
//
// The error is nil if there is a verdict, or a limit stopped the run, and nothing was left behind. If changes were left behind, it is or wraps a
// *LeftError. Any other error means that there is no verdict. The caller holds the sandbox's lock.
func Run(ctx context.Context, sc Scenario, t Target, opts Options) (Report, error) {
	r := newRun(sc, t, opts)
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
	viewing, stopViewer := context.WithCancel(context.WithoutCancel(ctx))
	var viewer sync.WaitGroup
	if opts.Observer != nil {
		viewer.Go(func() { r.log.show(viewing, opts.Observer) })
	}
	out, err := r.close(ctx, r.perform(ctx))
	stopViewer()
	viewer.Wait()
	return out, err
}

func newRun(sc spec.Scenario, t target.Target, opts Options) *run {
	if opts.Clock == nil {
		opts.Clock = clock.Wall{}
	}
	if opts.Cleanup == 0 {
		opts.Cleanup = time.Minute
	}
	if opts.Settle == 0 {
		opts.Settle = 30 * time.Second
	}
	// No other run of the sandbox has the same name.
	name := opts.Clock.Now().UTC().Format("20060102T150405.000000000Z") + "-" + sc.Name
	cluster := target.WithDeadlines(t)
	scoped := cluster
	scoped.Loads = target.WithPrefix(cluster.Loads, name+"/")
	return &run{
		Scenario: sc, Options: opts, name: name, cluster: cluster, target: scoped, log: newTimeline(opts.Clock, sc.Name),
		before: map[string]counts{}, final: map[string]target.LoadReading{},
		loads: watch.NewLoads(sc, scoped.Loads, opts.Clock), pods: watch.NewPods(sc, scoped.Workloads, opts.Clock), stopSampling: func() {},
		report: report.Report{
			Scenario: sc.Name, Seed: sc.Seed, StartedAt: opts.Clock.Now(), Steps: []report.Step{}, Timeline: []report.Event{},
			Expectations: []report.Finding{}, Load: []report.Load{}, Cleanup: report.Cleanup{Undone: []string{}, Residue: []string{}},
		},
	}
}

// loadPrefix is what the names of this run's loads start with on the generator.
func (r *run) loadPrefix() string { return r.name + "/" }

// perform does the phases in order, and cleans up after them in every case.
func (r *run) perform(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	watching, stopWatching := context.WithCancel(working)
	var background sync.WaitGroup
	err := r.watchBreakers(watching, &background)
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
	r.stopSampling()
	stopWatching()
	background.Wait()
	stop(nil)
	if r.breakers != nil {
		r.report.Recovery = breakerTimes(r.report.Recovery, r.breakers.Snapshot(), r.fault, r.Clock.Now())
	}
	r.log.phase("cleanup")
	r.unclean = r.cleanup(ctx)
	return err
}

// open undoes what earlier runs left behind, and starts the journal of this one. What cannot be undone is reported and does not prevent the run.
func (r *run) open(ctx context.Context) error {
	undo, err := journal.UndoAll(ctx, r.cluster, r.Journal)
	for _, u := range undo.Undone {
		r.log.note("phase", "undo", "left by a killed run: "+u)
	}
	for _, alone := range undo.LeftAlone {
		r.log.note("phase", "undo", alone)
	}
	last := 0
	for _, left := range undo.Left {
		r.log.note("phase", "undo", "still left by a killed run: "+left.String())
		last = max(last, left.Number)
	}
	r.report.LeftBehind = undo.Left
	if err == nil && len(undo.Undone) > 0 {
		err = r.settle(ctx)
	}
	if err != nil {
		return err
	}
	r.journal, err = journal.Start(journal.Options{
		Path: filepath.Join(r.Journal, r.name+journal.Ext), Scenario: r.Name, At: r.Clock.Now(), After: last, Create: r.createJournal,
	})
	return err
}

// watchBreakers follows the breakers before anything is changed.
func (r *run) watchBreakers(ctx context.Context, background *sync.WaitGroup) error {
	breakers, events, err := watch.WatchBreakers(ctx, r.target.Breakers, r.Clock, func(c target.BreakerChange) { r.log.event(breakerEvent(c)) })
	if err != nil {
		return err
	}
	r.breakers = breakers
	background.Go(func() { breakers.Run(ctx, events) })
	return nil
}

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
