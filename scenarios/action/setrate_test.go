package action

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestSetRate_IsUndone(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := f.context(false, State{})
	e, err := setRate{Load: "browse", Rate: 80}.Resolve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if e.Detail != "set browse from 50/s to 80/s" || e.Touches.Share != 0.25 || e.Revert {
		t.Errorf("%+v", e)
	}
	if r, ok := (State{}).With("a", e.Assumes).Rate("browse"); r != 80 || !ok {
		t.Errorf("it assumes %s, known %t", r, ok)
	}
	line, err := json.Marshal(e.Undo)
	if err != nil || string(line) != `{"load":"run/browse","rate":50,"set":80}` {
		t.Fatalf("the journal has %s, %v", line, err)
	}
	undo, err := setRateKind().ReadUndo(line)
	if err != nil {
		t.Fatal(err)
	}
	cluster := target.Target{Loads: f, Workloads: f}
	if err := errors.Join(e.Do(t.Context()), undo.Restore(t.Context(), cluster), undo.Restore(t.Context(), cluster)); err != nil {
		t.Error(err)
	}
	if want := []string{"rate run/browse 80/s", "rate run/browse 50/s"}; !slices.Equal(f.did, want) {
		t.Errorf("did %q, want %q", f.did, want)
	}
}

func TestSetRate_ForATimeAssumesNothing(t *testing.T) {
	t.Parallel()
	e, err := setRate{Load: "browse", Rate: 80, For: time.Second}.Resolve(t.Context(), newFake().context(true, State{}))
	if err != nil || !e.Revert || e.Hold != time.Second || len(e.Assumes.Rates) > 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestSetRate_UndoOfMissingOrChangedLoad(t *testing.T) {
	t.Parallel()
	f := newFake()
	cluster := target.Target{Loads: f}
	set := target.Rate(80)
	if err := (rateBack{"gone/browse", 50, &set}).Restore(t.Context(), cluster); err != nil {
		t.Error(err)
	}
	f.rates["run/browse"] = 7
	var changed *ChangedError
	err := rateBack{"run/browse", 50, &set}.Restore(t.Context(), cluster)
	if !errors.As(err, &changed) || err.Error() != "left alone: rate of browse is 7/s, and the run had set it to 80/s" || len(f.did) > 0 {
		t.Errorf("%v; did %q", err, f.did)
	}
	if got := (rateBack{"run/browse", 60, &set}).Rebase(rateBack{Load: "run/browse", Rate: 50}).(rateBack); got.Rate != 50 || *got.Set != 80 {
		t.Errorf("rebased to %+v", got)
	}
}
