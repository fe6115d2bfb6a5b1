package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A reversal puts one change of the world back. It is journalled as JSON before the change is made.
type reversal interface {
	// subject names the value that the change set. Changes of one subject form a stack.
	subject() string
	// over returns the reversal of this change once the one below it, of the same subject, is undone: it then ends at the value before that one.
	over(below reversal) reversal
	// putBack restores the value from before the change, unless another program has changed it: then its error is a *changedError. What is
	// restored already stays as it is.
	putBack(ctx context.Context, t Target) error
}

// changedError is a value that is neither what the change made it nor what it was before. It is left alone.
type changedError struct {
	subject, is, set string
	known            bool // reported already, for a later change of the same value
}

func (e *changedError) Error() string {
	return fmt.Sprintf("left alone: %s is %s, and the run had set it to %s", e.subject, e.is, e.set)
}

// asChanged returns the changedError in err; nil when there is none.
func asChanged(err error) *changedError {
	var changed *changedError
	errors.As(err, &changed)
	return changed
}

// reversalOf reads a reversal of one type from a journal.
func reversalOf[T reversal](data json.RawMessage) (reversal, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}

// reversalFor returns how the reversals of a kind of journal entry are read; nil when this version does not know the kind.
func reversalFor(kind string) func(json.RawMessage) (reversal, error) {
	if kind == loadStart {
		return reversalOf[loadStop]
	}
	return actionKind(kind).undo
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
		case found && !other.undone && other.undo != nil && other.undo.subject() == a.undo.subject():
			return other
		}
	}
	return nil
}

// aloneAbove reports whether a later change of the same value was left alone: then the value belongs to another program.
func (s stack) aloneAbove(a *done) bool {
	return slices.ContainsFunc(s, func(other *done) bool { return other.alone && other != a && other.undo.subject() == a.undo.subject() })
}

// undo puts a change back and describes that for the timeline. One that is not in force leaves the world as it is: the change above it will end
// at its value.
func (s stack) undo(ctx context.Context, t Target, a *done) (string, error) {
	if upper := s.above(a); upper != nil {
		upper.undo = upper.undo.over(a.undo)
		return fmt.Sprintf("undone: %s; %q is still in force", a.Detail, upper.Detail), nil
	}
	if s.aloneAbove(a) {
		return "", &changedError{subject: a.undo.subject(), known: true}
	}
	if err := a.undo.putBack(ctx, t); err != nil {
		return "", err
	}
	if a.deed.undone != nil {
		a.deed.undone(a.undo)
	}
	return "undone: " + a.Detail, nil
}
