package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// A series is several scenarios, one after the other, in one call: under one lock, with one JUnit file and one exit code.
type series struct {
	job       // what all have in common
	scenarios []scenarios.Scenario
	dir       string // of the reports; empty in a dry run

	reports []scenarios.Report
	code    int
	errs    []error
}

// runSeries reads all files before it touches anything.
func runSeries(ctx context.Context, w world, g *globals, f runFlags, names []string) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	if f.watch {
		return usageError(remedy.Advicef("%s in another terminal", remedy.Command("watch")), "--watch shows one scenario, and %d were given", len(names))
	}
	s := series{job: job{w: w, g: g, flags: f, asJSON: asJSON}}
	if s.scenarios, err = loadScenarios(w, g, names); err != nil {
		return err
	}
	if s.folders, err = w.folders(); err != nil {
		return err
	}
	if err := s.checkReport(); err != nil {
		return err
	}
	c, unlock, err := openForRun(ctx, w, g, f, strings.Join(names, " "))
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

// loadScenarios reports what is wrong with every file, not only with the first.
func loadScenarios(w world, g *globals, names []string) (all []scenarios.Scenario, bad error) {
	for _, name := range names {
		sc, err := loadScenario(name)
		var problems *scenarios.FileError
		switch {
		case err == nil:
			all = append(all, sc)
			continue
		case errors.As(err, &problems):
			fmt.Fprintln(w.stderr, problems)
		default:
			g.printError(w, "sandbox:", err)
		}
		bad = &codedError{exitUsage, nil} // all has been said
	}
	return all, bad
}

// conductAll runs the scenarios until one is interrupted or the environment turns out not to be fit: then those after it are not begun.
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
			fmt.Fprintln(s.w.stdout)
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

// severity orders exit codes, the worst first. A run that a limit stopped has no verdict, and so is worse than one whose verdict is bad.
var severity = []int{exitInterrupted, exitEnvironment, exitUsage, exitAborted, exitNotHeld, exitLeft, exitDone}

// note keeps the worst exit code and every error, and returns the code of this one.
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

// conclude writes what all runs have in common: the JUnit file, and the list of results. What cannot be written is a warning, as with one run.
func (s *series) conclude() {
	all := slices.Clone(s.reports)
	for _, sc := range s.scenarios[min(len(s.reports), len(s.scenarios)):] {
		all = append(all, scenarios.NotRun(sc))
	}
	if s.dir != "" {
		path := filepath.Join(s.dir, "junit.xml")
		err := os.MkdirAll(s.dir, 0o755)
		if err == nil {
			err = writeTo(path, func(f *os.File) error { return scenarios.WriteJUnit(f, all) })
		}
		if err != nil {
			fmt.Fprintln(s.w.stderr, "sandbox: warning: writing the report:", err)
		} else {
			fmt.Fprintln(s.w.stderr, "report of all:", path)
		}
	}
	if err := s.list(all); err != nil {
		fmt.Fprintln(s.w.stderr, "sandbox: warning: printing the report:", err)
	}
}

func (s *series) list(all []scenarios.Report) error {
	if s.asJSON {
		return writeJSON(s.w.stdout, map[string]any{"runs": s.reports})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d scenarios\n", len(all))
	for _, r := range all {
		fmt.Fprintf(&b, "  %-8s %s\n", strings.ToUpper(string(r.Result)), r.Scenario)
	}
	_, err := fmt.Fprint(s.w.stdout, b.String())
	return err
}
