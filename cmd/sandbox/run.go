package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

type runFlags struct {
	dryRun, watch bool
	report        string
}

func newRun(w world, g *globals) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|FILE",
		Short: "Run a scenario and say whether callers noticed",
		Long:  "Run a built-in scenario or a file. Exit code: 0 every expectation held, 1 one did not, 2 a bad file, 4 aborted by a limit.",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runScenario(cmd.Context(), w, g, f, args[0]) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scenarioNames(), cobra.ShellCompDirectiveDefault // a file will do too
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "stop after the plan: which pods and which share of traffic would be touched")
	flags.BoolVar(&f.watch, "watch", false, "show the screen while it runs")
	flags.StringVar(&f.report, "report", "", "folder for report.json and junit.xml (default: the sandbox's own)")
	outputFlag(cmd, g)
	return cmd
}

func runScenario(ctx context.Context, w world, g *globals, f runFlags, name string) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	scenario, err := loadScenario(name)
	if err != nil {
		return badScenario(w, err)
	}
	var screen *os.File
	if f.watch {
		if screen, err = terminal(w); err != nil {
			return err
		}
	}
	s, err := openSession(ctx, w, g)
	if err != nil {
		return err
	}
	defer s.close()
	report, err := s.run(ctx, w, f, scenario, screen)
	if report.Scenario != "" {
		if werr := s.present(w, f, report, asJSON); werr != nil {
			return errors.Join(err, werr)
		}
	}
	code := scenarios.ExitCode(report.Result, err)
	switch {
	case code == exitDone:
		return nil
	case code == exitUsage:
		return badScenario(w, err)
	}
	return &codedError{code, withHint(err)}
}

// run carries the scenario out, with the screen beside it when one is given. To leave the screen does not stop the run; Ctrl-C does.
func (s *session) run(ctx context.Context, w world, f runFlags, scenario scenarios.Scenario, screen *os.File) (scenarios.Report, error) {
	target, err := s.target(ctx)
	if err != nil {
		return scenarios.Report{}, err
	}
	told := newRunTeller(w, screen == nil)
	options := scenarios.Options{Journal: s.folders.Journal(s.name), DryRun: f.dryRun, Room: s.workloads.Room, Observer: func(r telemetry.Run) {
		told.tell(r)
		if err := writeRun(s.folders, s.name, r); err != nil {
			fmt.Fprintln(w.stderr, "sandbox: telling other screens:", err)
		}
	}}
	run := func(ctx context.Context) (scenarios.Report, error) {
		return scenarios.Run(ctx, scenario, target, options)
	}
	if screen == nil || f.dryRun {
		return run(ctx)
	}
	return told.beside(ctx, func(ctx context.Context) error { return s.watch(ctx, w, screen, true) }, run)
}

// present prints the report and keeps it in files.
func (s *session) present(w world, f runFlags, r scenarios.Report, asJSON bool) error {
	if !f.dryRun {
		dir := f.report
		if dir == "" {
			dir = filepath.Join(s.folders.Journal(s.name), "..", "reports", r.Scenario+"-"+time.Now().UTC().Format("20060102T150405"))
		}
		if err := writeReports(filepath.Clean(dir), r); err != nil {
			return err
		}
		fmt.Fprintln(w.stderr, "report:", filepath.Clean(dir))
	}
	if asJSON {
		return r.WriteJSON(w.stdout)
	}
	return r.WriteText(w.stdout)
}

func writeReports(dir string, r scenarios.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the report: %w\ntry: another folder with --report", err)
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

// badScenario prints the problems of a file as editors parse them, without the name of this program in front.
func badScenario(w world, err error) error {
	var file *scenarios.FileError
	if errors.As(err, &file) {
		fmt.Fprintln(w.stderr, file)
		return &codedError{exitUsage, nil}
	}
	return &codedError{exitUsage, withHint(err)}
}

// withHint puts the remedy that an error carries on a line of its own.
func withHint(err error) error {
	var hint interface{ Hint() string }
	if errors.As(err, &hint) && hint.Hint() != "" {
		return fmt.Errorf("%w\ntry: %s", err, hint.Hint())
	}
	return err
}
