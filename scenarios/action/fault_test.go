package action

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestFault_IsInjectedAndCleared(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b", "c", "d")
	c := f.context(false, State{})
	e, err := fault{Release: "userservice", Spec: `{"abort":{"code":"UNAVAILABLE"},"percent":50,"pods":1}`, For: time.Second}.Resolve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `inject abort {code: UNAVAILABLE} 50 % into userservice for 1s (1 of 4 pods)`; e.Detail != want || !e.Revert || e.Hold != time.Second {
		t.Errorf("%+v, want %q", e, want)
	}
	// The load on userservice has a quarter of the calls; half of the calls to one of four pods fail.
	if want := (report.BlastRadius{Pods: 1, OfPods: 4, Share: 0.25 / 4 / 2}); e.Touches != want {
		t.Errorf("touches %+v, want %+v", e.Touches, want)
	}
	undo := journalled(t, faultKind(), e.Undo)
	cluster := target.Target{Objects: fakeObjects{f}}
	if err := e.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := undo.(Residual).Left(t.Context(), cluster); err != nil || left != "Fault run-1 still exists" {
		t.Errorf("left %q, %v", left, err)
	}
	const spec = `{"abort":{"code":"UNAVAILABLE"},"leaseSeconds":10,"percent":50,"pods":1,"selector":{"matchLabels":{"app.kubernetes.io/name":"userservice"}}}`
	if got := f.objects["Fault/run-1"].Spec; got != spec {
		t.Errorf("it made %s\nwant    %s", got, spec)
	}
	if err := errors.Join(undo.Restore(t.Context(), cluster), undo.Restore(t.Context(), cluster)); err != nil || len(f.objects) != 0 {
		t.Errorf("%v; left %v", err, f.objects)
	}
	if left, err := undo.(Residual).Left(t.Context(), cluster); err != nil || left != "" {
		t.Errorf("left %q, %v", left, err)
	}
}

func TestFault_InShadowModeTouchesNoCall(t *testing.T) {
	t.Parallel()
	e, err := fault{Release: "userservice", Spec: `{"hang":{},"shadow":true}`}.Resolve(t.Context(), newFake("a", "b").context(false, State{}))
	if err != nil {
		t.Fatal(err)
	}
	if want := (report.BlastRadius{Pods: 2, OfPods: 2}); e.Touches != want || e.Detail != "inject hang in shadow mode into userservice (2 of 2 pods)" {
		t.Errorf("%s touches %+v, want %+v", e.Detail, e.Touches, want)
	}
}

// journalled returns a reversal as a later process reads it from the journal.
func journalled(t *testing.T, k Kind, undo Reversal) Reversal {
	t.Helper()
	line, err := json.Marshal(undo)
	if err != nil {
		t.Fatal(err)
	}
	read, err := k.ReadUndo(line)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestFault_WithoutPods(t *testing.T) {
	t.Parallel()
	var few *TooFewPodsError
	if _, err := (fault{Release: "userservice", Spec: `{"hang":{}}`}).Resolve(t.Context(), newFake().context(false, State{})); !errors.As(err, &few) {
		t.Errorf("got %v", err)
	}
}

func TestFault_Mistakes(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`{"hang":{}}`:                              "",
		`{"hang":{},"duration":"90m"}`:             "spec.duration: must be from 1ms to 1h",
		`{"abort":{"code":"NOPE"}}`:                "spec.abort.code",
		`{"abrot":{"code":"UNAVAILABLE"}}`:         "spec.abrot: is unknown",
		`{}`:                                       "spec",
		`{"hang":{},"selector":{}}`:                "spec.selector: the action sets this field",
		`{"hang":{},"leaseSeconds":2}`:             "spec.leaseSeconds: must be from 5 to 60, or 0 for no lease",
		`{"hang":{},"side":"client","callee":"b"}`: "",
		`{"hang":{},"callee":"b"}`:                 "spec.callee: must be empty",
	} {
		got := ""
		for _, m := range (fault{Release: "userservice", Spec: spec}).Validate() {
			got += m.Field + ": " + m.Message + "\n"
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: got %q, want %q", spec, got, want)
		}
	}
}
