package main

import (
	"context"
	"errors"
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

// A job is one scenario that is run on a target and reported.
type job struct {
	w        world
	g        *globals
	flags    runFlags
	asJSON   bool
	scenario scenarios.Scenario
	folders  sandbox.Folders
	target   scenarios.Target
	room     func(ctx context.Context, release string) (int, error) // for more pods on the node; nil: not known
	show     func(context.Context) error                            // the screen; nil without one
	finished func(scenarios.Report)                                 // receives the report of one run of several; nil when there is one
}

// conduct runs the scenario and reports. Whatever becomes of the report, the verdict keeps its exit code.
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
		return badScenario(j.w, err)
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

// run carries the scenario out, next to the screen when there is one. To leave the screen does not stop the run; Ctrl-C does.
func (j job) run(ctx context.Context) (scenarios.Report, error) {
	told := newRunTeller(j.w, j.show == nil)
	unwritable := false
	options := scenarios.Options{Journal: j.folders.Journal(j.g.name), DryRun: j.flags.dryRun, Room: j.room, Observer: func(r telemetry.Run) {
		told.tell(r)
		if j.flags.dryRun {
			return // it may be next to a run, whose file it is
		}
		r.PID = os.Getpid()
		if err := live.WriteRun(j.folders, j.g.name, r); err != nil && !unwritable {
			unwritable = true
			fmt.Fprintln(j.w.stderr, "sandbox: telling other screens:", err)
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
	return told.beside(ctx, j.show, run)
}

// present prints the report and keeps it in files. What cannot be written is a warning: there is a verdict.
func (j job) present(r scenarios.Report) {
	if !j.flags.dryRun {
		dir := j.reportFolder(r.StartedAt)
		if err := writeReports(dir, r); err != nil {
			fmt.Fprintln(j.w.stderr, "sandbox: warning:", err)
		} else {
			fmt.Fprintln(j.w.stderr, "report:", dir)
		}
	}
	if j.finished != nil {
		j.finished(r)
		if j.asJSON { // one document for all
			return
		}
	}
	write := r.WriteText
	if j.asJSON {
		write = r.WriteJSON
	}
	if err := write(j.w.stdout); err != nil {
		fmt.Fprintln(j.w.stderr, "sandbox: warning: printing the report:", err)
	}
}

// nameLeft says what killed runs left in the world that the scenario meets.
func (j job) nameLeft(left []scenarios.Leftover) {
	for _, l := range left {
		fmt.Fprintln(j.w.stderr, "left behind by a killed run:", l)
	}
	for _, line := range remedy.Command("undo").Lines(j.g.commandLine) {
		fmt.Fprintln(j.w.stderr, line)
	}
}

// reportFolder is where the report of a run is kept.
func (j job) reportFolder(started time.Time) string {
	if j.flags.report != "" {
		return filepath.Clean(j.flags.report)
	}
	return filepath.Join(j.folders.Reports(j.g.name), j.scenario.Name+"-"+started.UTC().Format("20060102T150405"))
}

// checkReport finds out before the run whether its report can be written: a run takes minutes. Only a folder that the user named is worth stopping
// for.
func (j job) checkReport() error {
	if j.flags.dryRun || j.flags.report == "" {
		return nil
	}
	dir := j.reportFolder(time.Time{})
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".writable-*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return remedy.Wrap(fmt.Errorf("checking the folder of --report: %w", err), remedy.Advice("--report FOLDER, with one that can be written"))
	}
	return nil
}

func writeReports(dir string, r scenarios.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	for name, write := range map[string]func(*os.File) error{
		"report.json": func(f *os.File) error { return r.WriteJSON(f) },
		"junit.xml":   func(f *os.File) error { return r.WriteJUnit(f) },
	} {
		if err := writeTo(filepath.Join(dir, name), write); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

func writeTo(path string, write func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
