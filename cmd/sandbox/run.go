package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

type runFlags struct {
	dryRun, watch bool
	report        string
}

func newRun(w world, g *globals) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|FILE…",
		Short: "Run a scenario and say whether callers noticed",
		Long: `Run a built-in scenario or a file, or several one after the other.

Whatever the run changes is put back at its end, also after Ctrl-C, a closed terminal (SIGHUP) or a reader that went away (| head). What a
killed run left is put back by the next one, or by "sandbox undo".

Exit codes:
  0    every expectation held
  1    an expectation did not hold
  2    wrong usage, or a bad file, named by file, line and field
  3    the environment is not fit; the message says the fix
  4    a limit of the scenario stopped it
  5    every expectation held, but something was left behind: sandbox undo --list
  130  interrupted, after clean-up

Several scenarios are all read before the first one starts, run under one lock, and have one junit.xml above a folder for each. The exit code is
the worst, in the order 130, 3, 2, 4, 1, 5, 0; after 130 or 3 the remaining ones are not begun.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return runSeries(cmd.Context(), w, g, f, args)
			}
			return runScenario(cmd.Context(), w, g, f, args[0])
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return scenarioNames(), cobra.ShellCompDirectiveDefault // a file will do too
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "stop after the plan: which pods and which share of traffic would be touched")
	flags.BoolVar(&f.watch, "watch", false, "show the screen while it runs")
	flags.StringVar(&f.report, "report", "", "folder for report.json and junit.xml (default: one below $XDG_STATE_HOME, which outlives the sandbox)")
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
	folders, err := w.folders()
	if err != nil {
		return err
	}
	j := job{w: w, g: g, flags: f, asJSON: asJSON, scenario: scenario, folders: folders}
	if err := j.checkReport(); err != nil {
		return err
	}
	c, unlock, err := openForRun(ctx, w, g, f, name)
	if err != nil {
		return err
	}
	defer unlock()
	defer c.Close()
	if j.target, err = c.Target(ctx); err != nil {
		return err
	}
	j.room = c.Workloads.Room
	if screen != nil {
		j.show = func(ctx context.Context) error { return watch(ctx, w, c, screen, true) }
	}
	return j.conduct(ctx)
}

// openForRun connects to the sandbox and locks it against every command that would change it during the run. A dry run changes nothing and takes
// no lock.
func openForRun(ctx context.Context, w world, g *globals, f runFlags, scenario string) (c *live.Cluster, unlock func(), err error) {
	folders, err := w.folders()
	if err != nil {
		return nil, nil, err
	}
	if !f.dryRun {
		// First, because a sandbox that `up` is creating is not up either.
		if err := sandbox.CheckUnlocked(folders, g.name, "run"); err != nil {
			return nil, nil, err
		}
	}
	if c, err = live.Open(ctx, folders, g.name); err != nil {
		return nil, nil, err
	}
	if f.dryRun {
		return c, func() {}, nil
	}
	unlock, err = sandbox.Lock(folders, g.name, "run "+scenario)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, unlock, nil
}

// badScenario prints the problems of a file as editors parse them, without the name of this program in front.
func badScenario(w world, err error) error {
	var file *scenarios.FileError
	if errors.As(err, &file) {
		fmt.Fprintln(w.stderr, file)
		return &codedError{exitUsage, nil}
	}
	return &codedError{exitUsage, err}
}
