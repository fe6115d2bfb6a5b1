package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// A series runs several scenarios one after the other, under one lock, with one JUnit file and one exit code.
type series struct {
	// job is what all scenarios have in common.
	job
	scenarios []scenarios.Scenario
	// dir is the folder of the reports. It is empty in a dry run.
	dir string

	reports []scenarios.Report
	code    int
	errs    []error
}

// runSeries reads all scenarios before it changes anything, then runs them one after the other.
func runSeries(ctx context.Context, proc process, g *globals, f runFlags, names []string) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	if f.watch {
		return usageError(remedy.Advicef("%s in another terminal", remedy.Command("watch")), "--watch shows one scenario, but %d were given", len(names))
	}
	s := series{job: job{proc: proc, g: g, flags: f, asJSON: asJSON}}
	if s.scenarios, err = loadScenarios(proc, g, names); err != nil {
		return err
	}
	if s.folders, err = proc.folders(); err != nil {
		return err
	}
	if err := s.checkReport(); err != nil {
		return err
	}
	c, unlock, err := openForRun(ctx, proc, g, f, strings.Join(names, " "))
	if err != nil {
		return err
	}
	defer unlock()
	defer c.Close()
	if s.target, err = c.Target(ctx); err != nil {
		return err
	}
	s.room = c.Workloads.Room
	return s.conductAll(ctx)
}

// loadScenarios loads all scenarios. It prints the problems of every file, not only of the first one.
func loadScenarios(proc process, g *globals, names []string) (all []scenarios.Scenario, bad error) {
	for _, name := range names {
		sc, err := catalog.LoadScenario(name)
		var problems *scenarios.FileError
		switch {
		case err == nil:
			all = append(all, sc)
			continue
		case errors.As(err, &problems):
			fmt.Fprintln(proc.stderr, problems.Text(g.commandLine))
		default:
			g.printError(proc, "sandbox:", err)
		}
		bad = &codedError{exitUsage, nil}
	}
	return all, bad
}

// conductAll runs the scenarios in order. It stops after one that was interrupted or that the environment could not run.
func (s *series) conductAll(ctx context.Context) error {
	if !s.flags.dryRun {
		s.dir = s.seriesFolder(time.Now())
	}
	for i, sc := range s.scenarios {
		j := s.job
		j.scenario = sc
		j.flags.report = filepath.Join(s.dir, fmt.Sprintf("%d-%s", i+1, sc.Name))
		j.finished = func(r scenarios.Report) { s.reports = append(s.reports, r) }
		if !s.asJSON && i > 0 {
			fmt.Fprintln(s.proc.stdout)
		}
		code := s.note(j.conduct(ctx))
		if ctx.Err() != nil || code == exitEnvironment || code == exitInterrupted {
			break
		}
	}
	s.conclude()
	if s.code == exitDone {
		return nil
	}
	return &codedError{s.code, verdictOf(errors.Join(s.errs...))}
}

func (s *series) seriesFolder(started time.Time) string {
	if s.flags.report != "" {
		return filepath.Clean(s.flags.report)
	}
	return filepath.Join(s.folders.Reports(s.g.name), "series-"+started.UTC().Format("20060102T150405"))
}

// severity lists the exit codes, the worst first. A run that an abort limit stopped has no verdict, which is worse than a failed expectation.
var severity = []int{exitInterrupted, exitEnvironment, exitUsage, exitAborted, exitNotHeld, exitLeft, exitDone}

// note records the error of one run and the worst exit code so far, and returns the exit code of this run.
func (s *series) note(err error) int {
	code := exitDone
	var coded *codedError
	switch {
	case errors.As(err, &coded):
		code = coded.code
		if coded.err != nil {
			s.errs = append(s.errs, coded.err)
		}
	case err != nil:
		code = exitEnvironment
		s.errs = append(s.errs, err)
	}
	if slices.Index(severity, code) < slices.Index(severity, s.code) {
		s.code = code
	}
	return code
}

// conclude writes the JUnit file of all runs and prints the list of results. As with a single run, a failure to write is only a warning.
func (s *series) conclude() {
	all := slices.Clone(s.reports)
	for _, sc := range s.scenarios[min(len(s.reports), len(s.scenarios)):] {
		all = append(all, scenarios.NotRun(sc))
	}
	if s.dir != "" {
		path := filepath.Join(s.dir, "junit.xml")
		if err := scenarios.WriteJUnitFile(path, all); err != nil {
			fmt.Fprintln(s.proc.stderr, "sandbox: warning:", err)
		} else {
			fmt.Fprintln(s.proc.stderr, "report of all:", path)
		}
	}
	if err := s.list(all); err != nil {
		fmt.Fprintln(s.proc.stderr, "sandbox: warning: printing the report:", err)
	}
}

func (s *series) list(all []scenarios.Report) error {
	if s.asJSON {
		return writeJSON(s.proc.stdout, map[string]any{"runs": s.reports})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d scenarios\n", len(all))
	for _, r := range all {
		fmt.Fprintf(&b, "  %-8s %s\n", strings.ToUpper(string(r.Result)), r.Scenario)
	}
	_, err := fmt.Fprint(s.proc.stdout, b.String())
	return err
}
