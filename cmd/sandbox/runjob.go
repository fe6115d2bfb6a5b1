package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// A job runs one scenario on a target and reports the result.
type job struct {
	proc     process
	g        *globals
	flags    runFlags
	asJSON   bool
	scenario scenarios.Scenario
	folders  sandbox.Folders
	target   scenarios.Target
	// room returns how many more pods of a release fit on the node. It is nil if that is not known.
	room func(ctx context.Context, release string) (int, error)
	// show displays the screen until its context ends. It is nil without --watch.
	show func(context.Context) error
	// finished receives the report of each run of a series. It is nil for a single run.
	finished func(scenarios.Report)
}

// conduct runs the scenario and writes the report. The exit code is that of the verdict, even if the report cannot be written.
func (j job) conduct(ctx context.Context) error {
	report, err := j.run(ctx)
	j.present(report)
	if len(report.LeftBehind) > 0 && err == nil {
		j.nameLeft(report.LeftBehind)
	}
	switch code := scenarios.ExitCode(report.Result, err); code {
	case exitDone:
		return nil
	case exitUsage:
		return badScenario(j.proc, j.g, err)
	default:
		return &codedError{code, verdictOf(err)}
	}
}

func verdictOf(err error) error {
	if err == nil {
		return nil
	}
	return &verdictError{err}
}

// run runs the scenario, with the screen if there is one. Leaving the screen does not stop the run; Ctrl-C does.
func (j job) run(ctx context.Context) (scenarios.Report, error) {
	timeline := newTimelinePrinter(j.proc, j.show == nil)
	unwritable := false
	options := scenarios.Options{Journal: j.folders.Journal(j.g.name), DryRun: j.flags.dryRun, Room: j.room, Observer: func(r telemetry.Run) {
		timeline.update(r)
		if j.flags.dryRun {
			// The run file may belong to a run in another process.
			return
		}
		r.PID = os.Getpid()
		if err := live.WriteRun(j.folders, j.g.name, r); err != nil && !unwritable {
			unwritable = true
			fmt.Fprintln(j.proc.stderr, "sandbox: writing the run file for other screens:", err)
		}
	}}
	if h, held := sandbox.Holder(j.folders, j.g.name); held && h.Is("run") {
		options.Running = h.PID
	}
	run := func(ctx context.Context) (scenarios.Report, error) {
		return scenarios.Run(ctx, j.scenario, j.target, options)
	}
	if j.show == nil || j.flags.dryRun {
		return run(ctx)
	}
	return timeline.runWithScreen(ctx, j.show, run)
}

// present prints the report and writes it to files. A failure to write is only a warning, because the verdict is known.
func (j job) present(r scenarios.Report) {
	if !j.flags.dryRun {
		dir := j.reportFolder(r.StartedAt)
		if err := r.WriteFiles(dir); err != nil {
			fmt.Fprintln(j.proc.stderr, "sandbox: warning:", err)
		} else {
			fmt.Fprintln(j.proc.stderr, "report:", dir)
		}
	}
	if j.finished != nil {
		j.finished(r)
		if j.asJSON {
			// The series prints one document for all of its runs.
			return
		}
	}
	write := r.WriteText
	if j.asJSON {
		write = r.WriteJSON
	}
	if err := write(j.proc.stdout); err != nil {
		fmt.Fprintln(j.proc.stderr, "sandbox: warning: printing the report:", err)
	}
}

// nameLeft prints the changes of killed runs that are still in place when a dry run plans.
func (j job) nameLeft(left []scenarios.Leftover) {
	for _, l := range left {
		fmt.Fprintln(j.proc.stderr, "left behind by a killed run:", l)
	}
	for _, line := range remedy.Command("undo").Lines(j.g.commandLine) {
		fmt.Fprintln(j.proc.stderr, line)
	}
}

// reportFolder returns the folder for the report of a run.
func (j job) reportFolder(started time.Time) string {
	if j.flags.report != "" {
		return filepath.Clean(j.flags.report)
	}
	return filepath.Join(j.folders.Reports(j.g.name), j.scenario.Name+"-"+started.UTC().Format("20060102T150405"))
}

// checkReport checks before the run, which takes minutes, that the report can be written. It checks only a folder that the user named: without the
// default folder the run is still worth its result.
func (j job) checkReport() error {
	if j.flags.dryRun || j.flags.report == "" {
		return nil
	}
	if err := scenarios.CheckReportFolder(j.reportFolder(time.Time{})); err != nil {
		return remedy.Wrap(fmt.Errorf("checking the folder of --report: %w", err), remedy.Advice("--report FOLDER, with a folder that can be written"))
	}
	return nil
}
