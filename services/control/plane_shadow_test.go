package control

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// TestPlane_ShadowIsNotReportedAsEnforced pushes a policy in shadow mode to a process, which then refuses nothing, and reads what is said about it.
func TestPlane_ShadowIsNotReportedAsEnforced(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	enforced, shadow := policyOf(t, "enforced", "percent: 50\nmethods: [{bulkhead: {maxConcurrent: 7}}]"), policyOf(t, "trial", "shadow: true\nmaxRequestsPerSecond: 0.001")
	plane.Store.SetPolicy(enforced)
	plane.Store.SetPolicy(shadow)
	pending := plane.View().PolicyStatus(shadow, nil, api.TrafficPolicyStatus{})
	_, client := startService(t, "users-1", control.address)
	soon(t, "the policy is in force", func() bool { return len(plane.ADS.Subscribers()) == 1 && plane.ADS.Subscribers()[0].InForce })
	for range 10 {
		if got := code(t.Context(), client); got != codes.OK {
			t.Errorf("a call is answered with %s", got)
		}
	}
	s := plane.View().PolicyStatus(shadow, nil, api.TrafficPolicyStatus{})
	if s.Subscribers != 1 || s.Enforcing != 0 || s.Verdicts != (api.Verdicts{Approximated: 1}) || s.Conditions[1].Reason != "Shadow" ||
		len(s.Exceptions) != 1 || s.Exceptions[0].Why != inShadowMode {
		t.Errorf("status %+v", s)
	}
	if got := pending.Conditions[1].Reason; got == "Shadow" {
		t.Errorf("before a process has it, the reason is %s", got)
	}
	if s := plane.View().PolicyStatus(enforced, nil, api.TrafficPolicyStatus{}); s.Enforcing != 1 || s.Conditions[1].Reason != "Enforced" {
		t.Errorf("status of the enforced policy %+v", s)
	}
	// A fault in shadow mode is applied, and has no effect.
	plane.Store.Permit("shop", true)
	tried := faultOf(t, "tried", "shadow: true\nabort: {code: ABORTED}\nduration: 1h")
	plane.Store.SetFault(tried)
	soon(t, "the fault is applied", func() bool {
		s, _ := plane.View().FaultStatus(tried, nil, api.FaultStatus{})
		return s.Applied == 1
	})
	if got := code(t.Context(), client); got != codes.OK {
		t.Errorf("a call under a fault in shadow mode is answered with %s", got)
	}
	got := map[string]string{}
	answer, err := policies{plane: plane}.Explain(t.Context(), &controlv1.ExplainRequest{Namespace: "shop", Service: "users"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range answer.GetValues() {
		got[v.GetField()] = v.GetValue()
	}
	if got["fault"] != "abort {code: ABORTED} in shadow mode" {
		t.Errorf("the fault is explained as %q", got["fault"])
	}
	if got["maxRequestsPerSecond"] != "0.001 (in shadow mode)" || got["methods[0].bulkhead"] != "{maxConcurrent: 7} (50% of the calls)" {
		t.Errorf("values %v", got)
	}
}
