package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// loadStart is the journal's name for a load; its undo is to stop it.
const loadStart = "load"

type loadStop struct {
	Load string `json:"load"` // as the generator knows it
}

func (l loadStop) Subject() string { return "load " + l.Load }

func (l loadStop) Rebase(action.Reversal) action.Reversal { return l }

// Restore accepts that the load is gone: the generator may have restarted as well.
func (l loadStop) Restore(ctx context.Context, t Target) error {
	if _, err := t.Loads.Stop(ctx, l.Load); err != nil && !errors.Is(err, ErrNoLoad) {
		return fmt.Errorf("stopping load %s: %w", target.ShortName(l.Load), err)
	}
	return nil
}

// LeftError says what a run, or Undo, could not put back. The verdict of the run stands.
type LeftError struct{ Left []string }

func (e *LeftError) Error() string { return "cleaning up: left behind: " + strings.Join(e.Left, "; ") }

// leftBehind is a LeftError with its remedies. What no journal records, such as a pod that does not get ready, cannot be undone.
func leftBehind(left []string, journalled bool) error {
	if journalled {
		return remedy.Wrap(&LeftError{left}, remedy.Command("undo", "--list"), remedy.Command("undo"))
	}
	return remedy.Wrap(&LeftError{left}, remedy.Command("status"))
}

// Undo puts back what runs that were killed left behind. A change that cannot be undone does not keep it from the others; it stays in its
// journal, and the error is a *LeftError. Run does the same first by itself. The caller holds the sandbox's lock.
func Undo(ctx context.Context, t Target, journalDir string) (report.Undo, error) {
	report, err := undoLeftovers(ctx, target.WithDeadlines(t), journalDir)
	if err != nil {
		return report, err
	}
	if len(report.Left) > 0 {
		return report, leftBehind(described(report.Left), true)
	}
	return report, nil
}

func described(all []report.Leftover) []string {
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.String()
	}
	return out
}

func undoLeftovers(ctx context.Context, target Target, dir string) (report.Undo, error) {
	all := report.Undo{Undone: []string{}, LeftAlone: []string{}, Left: []report.Leftover{}}
	files, err := leftovers(dir)
	if err != nil {
		return all, err
	}
	for _, file := range files {
		if err := undoFile(ctx, target, file, &all); err != nil {
			all.Left = append(all.Left, report.Leftover{Detail: "a journal", Journal: file, Problem: err.Error()})
		}
		if ctx.Err() != nil {
			return all, context.Cause(ctx)
		}
	}
	return all, nil
}

func undoFile(ctx context.Context, target Target, file string, u *report.Undo) error {
	trim(file)
	r, err := readRecord(file)
	if err != nil {
		return err
	}
	j, err := appendTo(file)
	if err != nil {
		return err
	}
	stuck := map[string]bool{} // subjects whose topmost change could not be undone: those below it stay as well
	for _, c := range slices.Backward(r.changes) {
		err := errors.New("a later change of it could not be undone")
		if subject := c.Effect.Undo.Subject(); !stuck[subject] {
			err = undoWithin(ctx, target, r.changes, c)
			stuck[subject] = err != nil && asChanged(err) == nil
		}
		switch changed := asChanged(err); {
		case changed != nil:
			c.alone = true
			if !changed.Reported {
				u.LeftAlone = append(u.LeftAlone, c.Detail+": "+changed.Error())
			}
		case err != nil:
			left := leftover(c.entry, err.Error())
			left.Subject, left.Scenario, left.Journal = c.Effect.Undo.Subject(), r.run.Scenario, file
			u.Left = append(u.Left, left)
			continue
		default:
			u.Undone = append(u.Undone, c.Detail)
		}
		c.undone = true
		_ = j.undone(time.Now(), c.Number) // when it cannot be written, the next Undo finds the value restored
	}
	u.Left = append(u.Left, r.unusable...)
	open := slices.ContainsFunc(r.changes, func(c *done) bool { return !c.undone })
	return j.finish(!open && len(r.unusable) == 0)
}

func undoWithin(ctx context.Context, target Target, all stack, c *done) error {
	ctx, cancel := context.WithTimeout(ctx, oneUndo)
	defer cancel()
	_, err := all.undo(ctx, target, c)
	return err
}
