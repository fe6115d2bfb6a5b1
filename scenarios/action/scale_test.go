package action

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func TestScale_IsUndone(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b", "c")
	c := f.context(false, State{})
	e, err := scale{"userservice", 0}.Resolve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if e.Detail != "scale userservice from 3 to 0" || e.Touches.Pods != 3 || e.Touches.OfPods != 3 || e.Touches.Share != 0.25 {
		t.Errorf("%+v", e)
	}
	if n, ok := (State{}).With("a", e.Assumes).Replicas("userservice"); n != 0 || !ok {
		t.Errorf("it assumes %d replicas, known %t", n, ok)
	}
	line, err := json.Marshal(e.Undo)
	if err != nil || string(line) != `{"release":"userservice","replicas":3,"set":0}` {
		t.Fatalf("the journal has %s, %v", line, err)
	}
	undo, err := scaleKind().ReadUndo(line)
	if err != nil {
		t.Fatal(err)
	}
	// In each round, the second Restore has nothing left to do.
	for range 2 {
		if err := errors.Join(e.Do(t.Context()), undo.Restore(t.Context(), c.Target), undo.Restore(t.Context(), c.Target)); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"scale userservice 0", "scale userservice 3", "scale userservice 0", "scale userservice 3"}; !slices.Equal(f.did, want) {
		t.Errorf("did %q, want %q", f.did, want)
	}
}

func TestScale_UndoLeavesAnotherProgramsChangeAlone(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b", "c")
	f.wanted = 5
	zero := 0
	var changed *ChangedError
	err := scaleBack{"userservice", 3, &zero}.Restore(t.Context(), f.context(false, State{}).Target)
	if !errors.As(err, &changed) || err.Error() != "left alone: replicas of userservice is 5, and the run had set it to 0" || f.wanted != 5 {
		t.Errorf("%v; %d replicas", err, f.wanted)
	}
	upper := scaleBack{"userservice", 2, &zero}.Rebase(scaleBack{Release: "userservice", Replicas: 3})
	if got := upper.(scaleBack); got.Replicas != 3 || *got.Set != 0 {
		t.Errorf("rebased to %+v", got)
	}
}

func TestScale_PlanFollowsEarlierSteps(t *testing.T) {
	t.Parallel()
	assumed := State{}.With("a", Assumption{Replicas: map[string]int{"userservice": 1}})
	e, err := scale{"userservice", 4}.Resolve(t.Context(), newFake("a", "b", "c").context(true, assumed))
	if err != nil || e.Detail != "scale userservice from 1 to 4" || e.Touches.Share != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if m := (scale{Replicas: 111}).Validate(); len(m) != 1 || m[0].Remedy.Text(nil) != "replicas: 5" {
		t.Errorf("%+v", m)
	}
}
