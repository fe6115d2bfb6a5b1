package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Change is an effect that is recorded in a journal.
type Change struct {
	// Effect is the effect, of which Undo is used. Entry is the line that records it.
	Effect action.Effect
	Entry  Entry
	// Undone is true if the change was undone or left alone.
	Undone bool
	// LeftAlone is true if the change was not undone because another program has changed the value since.
	LeftAlone bool
}

// Stack is the changes of one journal, in the order in which they were made. Of several changes of one subject only the topmost is in force.
type Stack []*Change

// above returns the next change of the same subject that is not undone; nil if c is the one in force.
func (s Stack) above(c *Change) *Change {
	found := false
	for _, other := range s {
		switch {
		case other == c:
			found = true
		case found && !other.Undone && other.Effect.Undo != nil && other.Effect.Undo.Subject() == c.Effect.Undo.Subject():
			return other
		}
	}
	return nil
}

// leftAloneAbove reports whether a later change of the same value was left alone: then the value belongs to another program.
func (s Stack) leftAloneAbove(c *Change) bool {
	return slices.ContainsFunc(s, func(other *Change) bool {
		return other.LeftAlone && other != c && other.Effect.Undo.Subject() == c.Effect.Undo.Subject()
	})
}

// Undo undoes a change and describes that for the timeline. A change that is not in force leaves the cluster as it is; the change above it is then
// undone to its value. If another program has changed the value, the error is an [*action.ChangedError].
func (s Stack) Undo(ctx context.Context, t target.Target, c *Change) (string, error) {
	if upper := s.above(c); upper != nil {
		upper.Effect.Undo = upper.Effect.Undo.Rebase(c.Effect.Undo)
		return fmt.Sprintf("undone: %s; %q is still in force", c.Entry.Detail, upper.Entry.Detail), nil
	}
	if s.leftAloneAbove(c) {
		return "", &action.ChangedError{Subject: c.Effect.Undo.Subject(), Reported: true}
	}
	if err := c.Effect.Undo.Restore(ctx, t); err != nil {
		return "", err
	}
	return "undone: " + c.Entry.Detail, nil
}

// AsChanged returns the ChangedError in err; nil if there is none.
func AsChanged(err error) *action.ChangedError {
	var changed *action.ChangedError
	errors.As(err, &changed)
	return changed
}
