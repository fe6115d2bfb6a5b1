package control

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func faultOf(t *testing.T, name, text string) compile.Fault {
	t.Helper()
	spec := &policyv1.FaultSpec{}
	if _, err := policy.Decode([]byte("selector: {matchLabels: {app.kubernetes.io/name: users}}\n"+text), spec); err != nil {
		t.Fatal(err)
	}
	return compile.Fault{Object: compile.Object{Kind: compile.KindFault, Namespace: "shop", Name: name, UID: "uid-of-" + name, Generation: 1, Created: time.Now()}, Spec: spec}
}

func TestPlane_FaultEndsWithItsLease(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(podNamed("users-1"))
	_, client := startService(t, "users-1", control.address)
	soon(t, "the service is connected", func() bool { return len(plane.ADS.Subscribers()) == 1 && plane.ADS.Subscribers()[0].InForce })

	fault := faultOf(t, "down", "abort: {code: UNAVAILABLE}\nleaseSeconds: 5")
	plane.Store.SetFault(fault)
	soon(t, "the fault is injected", func() bool { return code(t.Context(), client) == codes.Unavailable })
	soon(t, "the fault is active", func() bool {
		s, cleared := plane.View().FaultStatus(fault, nil, api.FaultStatus{})
		return s.Phase == api.FaultActive && s.Applied == 1 && !cleared
	})
	// A dead control plane leaves nothing behind: the process ends the fault by itself.
	control.stop()
	if got := code(t.Context(), client); got != codes.Unavailable {
		t.Errorf("the fault ended with the control plane: %s", got)
	}
	began := time.Now()
	soon(t, "the process has ended the fault", func() bool { return code(t.Context(), client) == codes.OK })
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the fault ended %s after the control plane, before its lease", took)
	}
}

func TestPlane_FaultIsRemovedFromTheProcesses(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(podNamed("users-1"))
	_, client := startService(t, "users-1", control.address)
	fault := faultOf(t, "down", "abort: {code: ABORTED}\nduration: 1h")
	plane.Store.SetFault(fault)
	soon(t, "the fault is injected", func() bool { return code(t.Context(), client) == codes.Aborted })
	fault.Ended = true
	plane.Store.SetFault(fault)
	soon(t, "the fault is cleared", func() bool {
		_, cleared := plane.View().FaultStatus(fault, nil, api.FaultStatus{})
		return cleared
	})
	if got := code(t.Context(), client); got != codes.OK {
		t.Errorf("after the clearance: %s", got)
	}
	// A namespace that no longer permits faults has none.
	fault.Ended = false
	fault.UID = "another"
	plane.Store.SetFault(fault)
	soon(t, "the second fault is injected", func() bool { return code(t.Context(), client) == codes.Aborted })
	plane.Store.Permit("shop", false)
	soon(t, "the second fault is removed", func() bool { return code(t.Context(), client) == codes.OK })
}
