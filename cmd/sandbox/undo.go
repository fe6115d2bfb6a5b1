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

func newUndo(proc process, g *globals) *cobra.Command {
	var f undoFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Undo changes that a killed run left behind",
		Long: `Undo changes that were left behind by runs that were killed or could not clean up. A value that another program has changed since then
is left as it is and reported. The next "sandbox run" does the same before it starts.

Exit codes: 0 nothing is left, 2 no change has the number of --forget, 3 the cluster cannot be reached, 5 a change could not be undone.`,
		Example: `  sandbox undo --list        # list the changes
  sandbox undo               # undo them
  sandbox undo --forget 3    # keep change 3 and remove it from the list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			forget := cmd.Flags().Changed("forget")
			switch {
			case f.list && forget:
				return usageError(remedy.Command("undo", "--list"), "--list and --forget cannot be used together")
			case forget && f.forget <= 0:
				return usageError(remedy.Command("undo", "--list"), "--forget %d: want a number from the list", f.forget)
			case f.list:
				return listLeft(proc, g, asJSON)
			case forget:
				return forgetLeft(proc, g, f.forget, asJSON)
			}
			return undoLeft(cmd.Context(), proc, g, asJSON)
		},
	}
	cmd.Flags().BoolVar(&f.list, "list", false, "list the changes without undoing them")
	cmd.Flags().IntVar(&f.forget, "forget", 0, "remove the change with this number from the list without undoing it")
	outputFlag(cmd, g)
	return cmd
}

// leftDocument is what `undo --list -o json` prints. Add fields; never rename one.
type leftDocument struct {
	Left []scenarios.Leftover `json:"left"`
}

func listLeft(proc process, g *globals, asJSON bool) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	left, err := live.Leftovers(folders, g.name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(proc.stdout, leftDocument{left})
	}
	if len(left) == 0 {
		fmt.Fprintln(proc.stdout, "nothing is left behind")
		return nil
	}
	return writeLeft(proc.stdout, left)
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

func forgetLeft(proc process, g *globals, number int, asJSON bool) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	unlock, err := sandbox.Lock(folders, g.name, "undo")
	if err != nil {
		return err
	}
	defer unlock()
	forgotten, err := scenarios.Forget(folders.Journal(g.name), number)
	if errors.Is(err, scenarios.ErrNotLeft) {
		return &codedError{exitUsage, err}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(proc.stdout, forgetDocument{forgotten})
	}
	fmt.Fprintln(proc.stdout, "forgotten and left as it is:", forgotten.Detail)
	return nil
}

func undoLeft(ctx context.Context, proc process, g *globals, asJSON bool) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	if err := sandbox.CheckUnlocked(folders, g.name, "undo"); err != nil {
		return err
	}
	left, err := live.Leftovers(folders, g.name)
	if err != nil || len(left) == 0 {
		// No cluster is needed.
		return errors.Join(err, writeUndone(proc.stdout, scenarios.UndoReport{Undone: []string{}, LeftAlone: []string{}, Left: left}, asJSON))
	}
	c, err := openCluster(ctx, proc, g)
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
	if werr := writeUndone(proc.stdout, report, asJSON); werr != nil {
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
