package journal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// UndoTimeout is the limit for undoing one change, so that one call that hangs leaves time for the others.
const UndoTimeout = 15 * time.Second

// UndoAll undoes the changes that killed runs left behind. A change that cannot be undone stays in its journal, and the others are still undone.
// The caller holds the sandbox's lock.
func UndoAll(ctx context.Context, t target.Target, dir string) (report.Undo, error) {
	all := report.Undo{Undone: []string{}, LeftAlone: []string{}, Left: []report.Leftover{}}
	files, err := Files(dir)
	if err != nil {
		return all, err
	}
	for _, file := range files {
		if err := undoFile(ctx, t, file, &all); err != nil {
			all.Left = append(all.Left, report.Leftover{Detail: "a journal", Journal: file, Problem: err.Error()})
		}
		if ctx.Err() != nil {
			return all, context.Cause(ctx)
		}
	}
	return all, nil
}

func undoFile(ctx context.Context, t target.Target, file string, u *report.Undo) error {
	trim(file)
	r, err := readRecord(file)
	if err != nil {
		return err
	}
	j, err := appendTo(file)
	if err != nil {
		return err
	}
	// stuck has the subjects whose topmost change could not be undone. The changes below it stay as well.
	stuck := map[string]bool{}
	for _, c := range slices.Backward(r.changes) {
		err := errors.New("a later change of the same value could not be undone")
		if subject := c.Effect.Undo.Subject(); !stuck[subject] {
			err = undoOne(ctx, t, r.changes, c)
			stuck[subject] = err != nil && AsChanged(err) == nil
		}
		switch changed := AsChanged(err); {
		case changed != nil:
			c.LeftAlone = true
			if !changed.Reported {
				u.LeftAlone = append(u.LeftAlone, c.Entry.Detail+": "+changed.Error())
			}
		case err != nil:
			left := leftover(c.Entry, err.Error())
			left.Subject, left.Scenario, left.Journal = c.Effect.Undo.Subject(), r.run.Scenario, file
			u.Left = append(u.Left, left)
			continue
		default:
			u.Undone = append(u.Undone, c.Entry.Detail)
		}
		c.Undone = true
		// If this line cannot be written, the next UndoAll finds the value restored.
		_ = j.Undone(time.Now(), c.Entry.Number)
	}
	u.Left = append(u.Left, r.unusable...)
	open := slices.ContainsFunc(r.changes, func(c *Change) bool { return !c.Undone })
	return j.Finish(!open && len(r.unusable) == 0)
}

func undoOne(ctx context.Context, t target.Target, all Stack, c *Change) error {
	ctx, cancel := context.WithTimeout(ctx, UndoTimeout)
	defer cancel()
	_, err := all.Undo(ctx, t, c)
	return err
}
