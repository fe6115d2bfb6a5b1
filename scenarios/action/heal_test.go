package action

import (
	"context"
	"testing"
)

func TestHeal_UndoesTheStep(t *testing.T) {
	t.Parallel()
	undone := ""
	c := newFake().context(false, State{})
	c.UndoStep = func(_ context.Context, step string) error { undone = step; return nil }
	e, err := heal{"take it down"}.Resolve(t.Context(), c)
	if err != nil || e.Detail != `undo "take it down"` || e.Assumes.Undoes != "take it down" || e.Undo != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := e.Do(t.Context()); err != nil || undone != "take it down" {
		t.Errorf("%v; undone %q", err, undone)
	}
}
