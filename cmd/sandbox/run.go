package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

type runFlags struct {
	dryRun, watch bool
	report        string
}

func newRun(proc process, g *globals) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|FILE…",
		Short: "Run a scenario and report whether callers noticed",
		Long: `Run a built-in scenario or a scenario file, or several of them one after the other.

Every change is undone at the end of the run, even after Ctrl-C, when the terminal closes (SIGHUP) or when the reader of the output exits
(| head). Changes that a killed run left behind are undone by the next run or by "sandbox undo".

Exit codes:
  0    every expectation passed
  1    an expectation failed
  2    wrong usage or an invalid scenario file; the message names file, line and field
  3    the environment cannot run the scenario; the message contains the remedy
  4    an abort limit of the scenario stopped the run
  5    every expectation passed, but something was left behind: sandbox undo --list
  130  interrupted, after the clean-up

Several scenarios are all read before the first one starts. They run under one lock and are reported in one junit.xml, next to a folder for each
scenario. The exit code is the worst one, in the order 130, 3, 2, 4, 1, 5, 0. After 130 or 3 the remaining scenarios do not run.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return runSeries(cmd.Context(), proc, g, f, args)
			}
			return runScenario(cmd.Context(), proc, g, f, args[0])
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			// The default directive completes file names as well.
			return scenarioNames(), cobra.ShellCompDirectiveDefault
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the plan and stop: which pods and which share of the traffic would be affected")
	flags.BoolVar(&f.watch, "watch", false, "show the screen during the run")
	flags.StringVar(&f.report, "report", "", "folder for report.json and junit.xml (default: a folder below $XDG_STATE_HOME, which outlives the sandbox)")
	outputFlag(cmd, g)
	return cmd
}

func runScenario(ctx context.Context, proc process, g *globals, f runFlags, name string) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	scenario, err := catalog.LoadScenario(name)
	if err != nil {
		return badScenario(proc, g, err)
	}
	var out *os.File
	if f.watch {
		if out, err = terminal(proc); err != nil {
			return err
		}
	}
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	j := job{proc: proc, g: g, flags: f, asJSON: asJSON, scenario: scenario, folders: folders}
	if err := j.checkReport(); err != nil {
		return err
	}
	c, unlock, err := openForRun(ctx, proc, g, f, name)
	if err != nil {
		return err
	}
	defer unlock()
	defer c.Close()
	if j.target, err = c.Target(ctx); err != nil {
		return err
	}
	j.room = c.Workloads.Room
	if out != nil {
		j.show = func(ctx context.Context) error { return watch(ctx, proc, screen{c.Feed(), g.name, out}, true) }
	}
	return j.conduct(ctx)
}

// openForRun connects to the sandbox and locks it against every command that would change it during the run. A dry run changes nothing and takes
// no lock.
func openForRun(ctx context.Context, proc process, g *globals, f runFlags, scenario string) (c *live.Cluster, unlock func(), err error) {
	folders, err := proc.folders()
	if err != nil {
		return nil, nil, err
	}
	if !f.dryRun {
		// This check comes first: a sandbox that `up` is still creating is locked and not up, and the lock is the better error.
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

// badScenario prints the problems of a scenario file as file:line: message, which editors parse, without the name of this program in front.
func badScenario(proc process, g *globals, err error) error {
	var file *scenarios.FileError
	if errors.As(err, &file) {
		fmt.Fprintln(proc.stderr, file.Text(g.commandLine))
		return &codedError{exitUsage, nil}
	}
	return &codedError{exitUsage, err}
}
