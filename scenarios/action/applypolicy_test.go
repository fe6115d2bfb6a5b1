package action

import (
	"errors"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestApplyPolicy_RestoresThePolicyFromBefore(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b")
	const before = `{"maxRequestsPerSecond":9,"selector":{"matchLabels":{"x":"y"}}}`
	f.objects["TrafficPolicy/limit"] = target.Object{Kind: target.TrafficPolicy, Name: "limit", Spec: before}
	e, err := applyPolicy{Release: "userservice", Name: "limit", Spec: `{"maxRequestsPerSecond":50}`}.Resolve(t.Context(), f.context(false, State{}))
	if err != nil {
		t.Fatal(err)
	}
	undo, cluster := journalled(t, applyPolicyKind(), e.Undo), target.Target{Objects: fakeObjects{f}}
	if err := e.Do(t.Context()); err != nil || !strings.Contains(f.objects["TrafficPolicy/limit"].Spec, `"maxRequestsPerSecond":50`) {
		t.Errorf("%v; %v", err, f.objects)
	}
	if err := undo.Restore(t.Context(), cluster); err != nil || f.objects["TrafficPolicy/limit"].Spec != before {
		t.Errorf("%v; %v", err, f.objects)
	}

	// A policy that another program has changed is left alone.
	f.objects["TrafficPolicy/limit"] = target.Object{Kind: target.TrafficPolicy, Name: "limit", Spec: `{"maxRequestsPerSecond":7}`}
	var changed *ChangedError
	if err := undo.Restore(t.Context(), cluster); !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
	delete(f.objects, "TrafficPolicy/limit")
	if err := undo.Restore(t.Context(), cluster); !errors.As(err, &changed) {
		t.Errorf("a policy that another program has deleted: %v", err)
	}
}

func TestApplyPolicy_DeletesANewPolicy(t *testing.T) {
	t.Parallel()
	f := newFake("a")
	a := applyPolicy{Release: "userservice", Spec: `{"methods":[{"deadline":{"timeout":"250ms"}}]}`}
	if got, want := a.String(), "apply policy {methods: [{deadline: {timeout: 250ms}}]} to userservice"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e, err := a.Resolve(t.Context(), f.context(false, State{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Do(t.Context()), journalled(t, applyPolicyKind(), e.Undo).Restore(t.Context(), target.Target{Objects: fakeObjects{f}})); err != nil || len(f.objects) > 0 {
		t.Errorf("%v; left %v", err, f.objects)
	}
}

func TestApplyPolicy_Mistakes(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`{"maxRequestsPerSecond":50}`:                                "",
		`{"maxRequestsPerSecond":0}`:                                 "spec.maxRequestsPerSecond: must be",
		`{"methods":[{"serverDeadline":{"timeout":"0s"}}]}`:          "spec.methods[0].serverDeadline.timeout: must be from 1ms to 8760h",
		`{"methods":[{"rate":{"limits":[{"limit":{}}]}}]}`:           "spec.methods[0].rate.limits[0].limit",
		`{"methods":[{},{"retry":{"maxAttempts":3}}]}`:               "spec.methods[1].retry.idempotent: must be true",
		`{"methods":[{"method":"nothing"}]}`:                         `spec.methods[0].method: "nothing" can match no method`,
		`{"outlierEjection":{"maxEjectionPercent":0}}`:               "spec.outlierEjection.maxEjectionPercent: must be from 1 to 100",
		`{"loadBalancing":{"algorithm":"leastest"}}`:                 "spec.loadBalancing.algorithm: \"leastest\" is unknown",
		`{"methods":[{"priority":"low","deadline":{"none":true}}]}`:  "",
		`{"selector":{"matchLabels":{}},"maxRequestsPerSecond":"x"}`: "spec.selector: the action sets this field",
	} {
		got := ""
		for _, m := range (applyPolicy{Release: "userservice", Spec: spec}).Validate() {
			got += m.Field + ": " + m.Message + "\n"
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: got %q, want %q", spec, got, want)
		}
	}
}
