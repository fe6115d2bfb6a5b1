package control

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

func TestGRPCGo_CallsReachTheEndpoints(t *testing.T) {
	one, two := startBackend(t, "users-1", nil), startBackend(t, "users-2", nil)
	_, control := startShop(t, one, two)
	for _, target := range []string{"xds:///users", "xds:///users.shop", "xds:///users.shop.svc.cluster.local:8443"} {
		before := [2]int64{one.calls.Load(), two.calls.Load()}
		c := xdsClient(t, control.address, target)
		soon(t, "both replicas are connected", func() bool {
			mustCall(t, c)
			return one.calls.Load() > before[0] && two.calls.Load() > before[1]
		})
		before = [2]int64{one.calls.Load(), two.calls.Load()}
		for range 20 {
			mustCall(t, c)
		}
		if a, b := one.calls.Load()-before[0], two.calls.Load()-before[1]; a != 10 || b != 10 {
			t.Errorf("%s: %d and %d calls", target, a, b)
		}
	}
}

func TestGRPCGo_TimeoutActs(t *testing.T) {
	b := startBackend(t, "users-1", hang)
	plane, control := startShop(t, b)
	plane.Store.SetPolicy(policyOf(t, "deadline", "methods: [{method: grpc.testing.TestService/UnaryCall, deadline: {timeout: 50ms}}]"))
	c := xdsClient(t, control.address, "xds:///users")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	if got := code(ctx, c); got != codes.DeadlineExceeded || time.Since(began) > 5*time.Second {
		t.Errorf("%s after %s", got, time.Since(began))
	}
	fields := applied(t, plane, "TrafficPolicy", "deadline")
	if len(fields) != 1 || fields[0].GetField() != "methods[0].deadline.timeout" || fields[0].GetVerdict() != controlv1.Verdict_VERDICT_APPROXIMATED {
		t.Errorf("verdicts %v", fields)
	}
}

func TestGRPCGo_RetryActs(t *testing.T) {
	b := startBackend(t, "users-1", func(_ context.Context, call int64) error {
		if call%3 != 0 {
			return status.Error(codes.Unavailable, "not now")
		}
		return nil
	})
	plane, control := startShop(t, b)
	c := xdsClient(t, control.address, "xds:///users")
	if got := code(t.Context(), c); got != codes.Unavailable || b.calls.Load() != 1 {
		t.Fatalf("without a policy: %s after %d attempts", got, b.calls.Load())
	}
	plane.Store.SetPolicy(policyOf(t, "retry", `methods: [{retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms, perTryTimeout: 1s, codes: [UNAVAILABLE, ABORTED]}}]`))
	fields := applied(t, plane, "TrafficPolicy", "retry")
	// grpc-go acknowledges a moment before calls follow.
	soon(t, "calls are repeated", func() bool {
		b.calls.Store(0)
		return code(t.Context(), c) == codes.OK && b.calls.Load() == 3
	})
	want := map[string]controlv1.Verdict{"idempotent": controlv1.Verdict_VERDICT_ENFORCED, "maxAttempts": controlv1.Verdict_VERDICT_ENFORCED,
		"initialBackoff": controlv1.Verdict_VERDICT_ENFORCED, "perTryTimeout": controlv1.Verdict_VERDICT_IGNORED, "codes": controlv1.Verdict_VERDICT_APPROXIMATED}
	if len(fields) != len(want) {
		t.Errorf("%d verdicts: %v", len(fields), fields)
	}
	for _, f := range fields {
		if name := strings.TrimPrefix(f.GetField(), "methods[0].retry."); want[name] != f.GetVerdict() {
			t.Errorf("verdict of %s: %s", f.GetField(), f.GetVerdict())
		}
	}
}

func TestGRPCGo_FaultActs(t *testing.T) {
	b := startBackend(t, "users-1", nil)
	plane, control := startShop(t, b)
	c := xdsClient(t, control.address, "xds:///users")
	mustCall(t, c)
	fault := faultOf(t, "down", "side: FAULT_SIDE_CLIENT\ncallee: users\nmethod: grpc.testing.TestService/UnaryCall\nmetadata: {x-who: tester}\nabort: {code: ABORTED}\nduration: 1h")
	fault.Spec.Selector.MatchLabels = map[string]string{compile.ServiceLabel: "caller"}
	plane.Store.SetFault(fault)
	applied(t, plane, "Fault", "down")
	chosen := metadata.AppendToOutgoingContext(t.Context(), "x-who", "tester")
	soon(t, "a call with the metadata fails", func() bool { return code(chosen, c) == codes.Aborted })
	if got := code(t.Context(), c); got != codes.OK {
		t.Errorf("a call without the metadata: %s", got)
	}
	if _, err := c.EmptyCall(chosen, &testv1.Empty{}); err != nil {
		t.Errorf("another method: %v", err)
	}
	if s, _ := plane.View().FaultStatus(fault, nil, api.FaultStatus{}); s.Phase != api.FaultActive || s.Applied != 1 {
		t.Errorf("status %+v", s)
	}

	hanging := faultOf(t, "hanging", "side: FAULT_SIDE_CLIENT\nhang: {}\nduration: 1h")
	hanging.Spec.Selector = fault.Spec.Selector
	plane.Store.SetFault(hanging)
	applied(t, plane, "Fault", "hanging")
	soon(t, "a call hangs", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return code(ctx, c) == codes.DeadlineExceeded
	})

	for _, f := range []compile.Fault{fault, hanging} {
		f.Ended = true
		plane.Store.SetFault(f)
	}
	soon(t, "the faults are cleared", func() bool {
		_, one := plane.View().FaultStatus(fault, nil, api.FaultStatus{Phase: api.FaultEnded})
		_, two := plane.View().FaultStatus(hanging, nil, api.FaultStatus{Phase: api.FaultEnded})
		return one && two
	})
	soon(t, "a call succeeds after the clearance", func() bool { return code(chosen, c) == codes.OK })
}

func TestGRPCGo_UnsupportedFault(t *testing.T) {
	plane, control := startShop(t, startBackend(t, "users-1", nil))
	mustCall(t, xdsClient(t, control.address, "xds:///users"))
	fault := faultOf(t, "cut", "side: FAULT_SIDE_CLIENT\ncut: {}\nduration: 1h")
	fault.Spec.Selector.MatchLabels = map[string]string{compile.ServiceLabel: "caller"}
	plane.Store.SetFault(fault)
	s, _ := plane.View().FaultStatus(fault, nil, api.FaultStatus{})
	soon(t, "the target is ignored", func() bool {
		s, _ = plane.View().FaultStatus(fault, nil, api.FaultStatus{})
		return s.Targets[0].State == targetIgnored
	})
	if s.Applied != 0 || s.Phase == api.FaultActive || s.Targets[0].Why == "" {
		t.Errorf("status %+v", s)
	}
}

func TestGRPCGo_MaxRequestsActs(t *testing.T) {
	b := startBackend(t, "users-1", hang)
	plane, control := startShop(t, b)
	plane.Store.SetPolicy(policyOf(t, "breaker", "methods: [{method: grpc.testing.TestService/UnaryCall, breaker: {maxConcurrent: 2, failureRatio: 0.5}}]"))
	c := xdsClient(t, control.address, "xds:///users")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan codes.Code, 2)
	for range 2 {
		go func() { ended <- code(ctx, c) }()
	}
	soon(t, "two calls are running", func() bool { return b.running.Load() == 2 })
	third, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	if got := code(third, c); got != codes.Unavailable || b.calls.Load() != 2 {
		t.Errorf("the third call: %s, after %d calls", got, b.calls.Load())
	}
	if _, err := c.EmptyCall(t.Context(), &testv1.Empty{}); err != nil {
		t.Errorf("another method: %v", err)
	}
	cancel()
	<-ended
	<-ended
	for _, f := range applied(t, plane, "TrafficPolicy", "breaker") {
		want := controlv1.Verdict_VERDICT_IGNORED
		if strings.HasSuffix(f.GetField(), "maxConcurrent") {
			want = controlv1.Verdict_VERDICT_APPROXIMATED
		}
		if f.GetVerdict() != want {
			t.Errorf("%v, want %s", f, want)
		}
	}
}

func TestGRPCGo_OutlierEjectionActs(t *testing.T) {
	good := startBackend(t, "users-1", nil)
	// grpc-go counts every error, this one, too.
	bad := startBackend(t, "users-2", func(context.Context, int64) error { return status.Error(codes.NotFound, "no such user") })
	plane, control := startShop(t, good, bad)
	plane.Store.SetPolicy(policyOf(t, "outliers", "outlierEjection: {failureRatio: 0.5, baseEjectionTime: 1h}\nloadBalancing: {algorithm: ALGORITHM_LEAST_REQUEST}"))
	c := xdsClient(t, control.address, "xds:///users")
	soon(t, "the replica that fails is ejected", func() bool {
		for range 40 {
			if code(t.Context(), c) != codes.OK {
				return false
			}
		}
		return bad.calls.Load() > 0
	})
	if good.calls.Load() < 40 {
		t.Errorf("%d and %d calls", good.calls.Load(), bad.calls.Load())
	}
	for _, f := range applied(t, plane, "TrafficPolicy", "outliers") {
		want := controlv1.Verdict_VERDICT_APPROXIMATED
		if f.GetField() == "loadBalancing.algorithm" {
			want = controlv1.Verdict_VERDICT_ENFORCED
		}
		if f.GetVerdict() != want {
			t.Errorf("%v, want %s", f, want)
		}
	}
}

func TestGRPCGo_EndpointsChangeWithoutFailedCalls(t *testing.T) {
	one := startBackend(t, "users-1", nil)
	plane, control := startShop(t, one)
	c := xdsClient(t, control.address, "xds:///users")
	mustCall(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	failed, ended := make(chan error, 1), make(chan int, 1)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if _, err := c.UnaryCall(context.WithoutCancel(ctx), &testv1.SimpleRequest{}); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		}
		ended <- n
	}()
	last := one
	for n := range 5 {
		next := startBackend(t, fmt.Sprintf("users-%d", n+2), nil)
		plane.Store.SetPod(next.pod)
		soon(t, "the new pod is called", func() bool { return next.calls.Load() > 0 })
		plane.Store.RemovePod("shop", last.pod.Name)
		soon(t, "the old pod is not called", func() bool {
			before := last.calls.Load()
			after := next.calls.Load()
			for next.calls.Load() < after+20 && ctx.Err() == nil {
				mustCall(t, c)
			}
			return last.calls.Load() == before
		})
		last.stop()
		last = next
	}
	cancel()
	n := <-ended
	select {
	case err := <-failed:
		t.Errorf("a call failed: %v", err)
	default:
	}
	if n < 100 {
		t.Errorf("only %d calls", n)
	}
}

func TestGRPCGo_RejectionIsReported(t *testing.T) {
	plane, control := startShop(t, startBackend(t, "users-1", nil))
	c := xdsClient(t, control.address, "xds:///users")
	mustCall(t, c)
	// No reader accepts it, but a control plane with a fault could send it: grpc-go rejects more than 100 %.
	bad := policyOf(t, "bad", "outlierEjection: {maxEjectionPercent: 50}")
	percent := uint32(200)
	bad.Spec.OutlierEjection.MaxEjectionPercent = &percent
	plane.Store.SetPolicy(bad)
	var s api.TrafficPolicyStatus
	soon(t, "the rejection is reported", func() bool {
		s = plane.View().PolicyStatus(bad, nil, s)
		return s.Verdicts.Rejected == 1
	})
	if e := s.Exceptions[0]; e.Pod != "caller-1" || !strings.Contains(e.Why, "max_ejection_percent") || s.Conditions[1].Reason != "Rejected" {
		t.Errorf("status %+v", s)
	}
	pushes := control.pushes.Load()
	for range 200 {
		mustCall(t, c)
	}
	if again := control.pushes.Load(); again > pushes+1 {
		t.Errorf("the rejected resources were sent again: %d responses", again-pushes)
	}
	good := policyOf(t, "bad", "outlierEjection: {maxEjectionPercent: 50}")
	plane.Store.SetPolicy(good)
	soon(t, "the client accepts the next resources", func() bool {
		s = plane.View().PolicyStatus(good, nil, s)
		return s.Verdicts.Approximated == 1 && s.Verdicts.Rejected == 0
	})
}

func TestGRPCGo_ServerFieldsAreIgnored(t *testing.T) {
	plane, control := startShop(t, startBackend(t, "users-1", nil))
	// The backend had its time to connect.
	plane.present.since = time.Unix(1, 0)
	// The client is a pod of the service, too, and so selected.
	pod := podNamed("caller-1")
	plane.Store.SetPod(pod)
	plane.Store.SetPolicy(policyOf(t, "limit", "maxRequestsPerSecond: 50"))
	mustCall(t, xdsClient(t, control.address, "xds:///users"))
	s := plane.View().PolicyStatus(policyOf(t, "limit", "maxRequestsPerSecond: 50"), nil, api.TrafficPolicyStatus{})
	if s.Verdicts.Ignored != 2 || s.Verdicts.Enforced != 0 || s.Conditions[1].Reason != "Ignored" {
		t.Errorf("status %+v", s)
	}
}
