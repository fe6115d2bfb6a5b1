package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

type undoFlags struct {
	list   bool
	forget int
}

func newUndo(w world, g *globals) *cobra.Command {
	var f undoFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Put back what a killed run left changed",
		Long: `Put back what runs that were killed, or could not clean up, left changed. A value that another program has changed since is left alone and
reported. The next run does the same first by itself.

Exit codes: 0 nothing is left, 3 the environment is not fit, 5 something could not be put back.`,
		Example: `  sandbox undo --list        # what is left, without a change
  sandbox undo               # put it back
  sandbox undo --forget 3    # keep change 3 as it is, and take it off the list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			forget := cmd.Flags().Changed("forget")
			switch {
			case f.list && forget:
				return usageError(remedy.Command("undo", "--list"), "--list and --forget exclude each other")
			case forget && f.forget <= 0:
				return usageError(remedy.Command("undo", "--list"), "--forget %d is not a number of the list", f.forget)
			case f.list:
				return listLeft(w, g, asJSON)
			case forget:
				return forgetLeft(w, g, f.forget, asJSON)
			}
			return undoLeft(cmd.Context(), w, g, asJSON)
		},
	}
	cmd.Flags().BoolVar(&f.list, "list", false, "say what is left, and change nothing")
	cmd.Flags().IntVar(&f.forget, "forget", 0, "take one change off the list, by its number, and leave it as it is")
	outputFlag(cmd, g)
	return cmd
}

// leftDocument is what `undo --list -o json` prints. Add fields; never rename one.
type leftDocument struct {
	Left []scenarios.Leftover `json:"left"`
}

func listLeft(w world, g *globals, asJSON bool) error {
	folders, err := w.folders()
	if err != nil {
		return err
	}
	left, err := live.Leftovers(folders, g.name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w.stdout, leftDocument{left})
	}
	if len(left) == 0 {
		fmt.Fprintln(w.stdout, "nothing is left behind")
		return nil
	}
	return writeLeft(w.stdout, left)
}

func writeLeft(out io.Writer, left []scenarios.Leftover) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NUMBER\tSCENARIO\tSINCE\tCHANGE")
	for _, l := range left {
		number, since := "-", "-"
		if l.Number > 0 {
			number = fmt.Sprint(l.Number)
		}
		if !l.At.IsZero() {
			since = l.At.Local().Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", number, l.Scenario, since, l)
	}
	return t.Flush()
}

// forgetDocument is what `undo --forget N -o json` prints. Add fields; never rename one.
type forgetDocument struct {
	Forgotten scenarios.Leftover `json:"forgotten"`
}

func forgetLeft(w world, g *globals, number int, asJSON bool) error {
	folders, err := w.folders()
	if err != nil {
		return err
	}
	unlock, err := sandbox.Lock(folders, g.name, "undo")
	if err != nil {
		return err
	}
	defer unlock()
	forgotten, err := scenarios.Forget(folders.Journal(g.name), number)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w.stdout, forgetDocument{forgotten})
	}
	fmt.Fprintln(w.stdout, "forgotten, and left as it is:", forgotten.Detail)
	return nil
}

func undoLeft(ctx context.Context, w world, g *globals, asJSON bool) error {
	folders, err := w.folders()
	if err != nil {
		return err
	}
	if err := sandbox.CheckUnlocked(folders, g.name, "undo"); err != nil {
		return err
	}
	left, err := live.Leftovers(folders, g.name)
	if err != nil || len(left) == 0 { // nothing to ask a cluster about
		return errors.Join(err, writeUndone(w.stdout, scenarios.UndoReport{Undone: []string{}, LeftAlone: []string{}, Left: left}, asJSON))
	}
	c, err := openCluster(ctx, w, g)
	if err != nil {
		return err
	}
	defer c.Close()
	unlock, err := sandbox.Lock(folders, g.name, "undo")
	if err != nil {
		return err
	}
	defer unlock()
	target, err := c.Target(ctx)
	if err != nil {
		return err
	}
	report, err := scenarios.Undo(ctx, target, folders.Journal(g.name))
	if werr := writeUndone(w.stdout, report, asJSON); werr != nil {
		return errors.Join(err, werr)
	}
	var behind *scenarios.LeftError
	if errors.As(err, &behind) {
		return &codedError{exitLeft, err}
	}
	return err
}

func writeUndone(out io.Writer, r scenarios.UndoReport, asJSON bool) error {
	if asJSON {
		return writeJSON(out, r)
	}
	for _, u := range r.Undone {
		fmt.Fprintln(out, "undone:", u)
	}
	for _, alone := range r.LeftAlone {
		fmt.Fprintln(out, alone)
	}
	for _, l := range r.Left {
		fmt.Fprintln(out, "not undone:", l)
	}
	if len(r.Undone)+len(r.LeftAlone)+len(r.Left) == 0 {
		fmt.Fprintln(out, "nothing is left behind")
	}
	return nil
}
