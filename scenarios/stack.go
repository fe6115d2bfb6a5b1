package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
)

// asChanged returns the changedError in err; nil when there is none.
func asChanged(err error) *action.ChangedError {
	var changed *action.ChangedError
	errors.As(err, &changed)
	return changed
}

// reversalFor returns how the reversals of a kind of journal entry are read; nil when this version does not know the kind.
func reversalFor(kind string) func(json.RawMessage) (action.Reversal, error) {
	if kind == loadStart {
		return action.ReversalOf[loadStop]
	}
	return action.Find(kind).ReadUndo
}

// A stack is the changes of one journal, in the order in which they were made. Of the changes of one subject only the topmost is in force.
type stack []*done

// above returns the next change of the same subject that is not undone; nil when a is the one in force.
func (s stack) above(a *done) *done {
	found := false
	for _, other := range s {
		switch {
		case other == a:
			found = true
		case found && !other.undone && other.Effect.Undo != nil && other.Effect.Undo.Subject() == a.Effect.Undo.Subject():
			return other
		}
	}
	return nil
}

// aloneAbove reports whether a later change of the same value was left alone: then the value belongs to another program.
func (s stack) aloneAbove(a *done) bool {
	return slices.ContainsFunc(s, func(other *done) bool {
		return other.alone && other != a && other.Effect.Undo.Subject() == a.Effect.Undo.Subject()
	})
}

// undo puts a change back and describes that for the timeline. One that is not in force leaves the world as it is: the change above it will end
// at its value.
func (s stack) undo(ctx context.Context, t Target, a *done) (string, error) {
	if upper := s.above(a); upper != nil {
		upper.Effect.Undo = upper.Effect.Undo.Rebase(a.Effect.Undo)
		return fmt.Sprintf("undone: %s; %q is still in force", a.Detail, upper.Detail), nil
	}
	if s.aloneAbove(a) {
		return "", &action.ChangedError{Subject: a.Effect.Undo.Subject(), Reported: true}
	}
	if err := a.Effect.Undo.Restore(ctx, t); err != nil {
		return "", err
	}
	return "undone: " + a.Detail, nil
}
