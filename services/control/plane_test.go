package control

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

func TestPlane_PolicyIsEnforcedAndReported(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	limit := policyOf(t, "limit", "maxRequestsPerSecond: 0.001")
	plane.Store.SetPolicy(limit)
	_, client := startService(t, "users-1", control.address)
	soon(t, "the policy is in force", func() bool { return len(plane.ADS.Subscribers()) == 1 && plane.ADS.Subscribers()[0].InForce })
	for n, want := range []codes.Code{codes.OK, codes.OK, codes.OK, codes.ResourceExhausted} {
		if got := code(t.Context(), client); got != want {
			t.Errorf("call %d: %s, want %s", n+1, got, want)
		}
	}
	s := plane.View().PolicyStatus(limit, nil, api.TrafficPolicyStatus{})
	if s.Enforcing != 1 || s.Subscribers != 1 || s.Verdicts != (api.Verdicts{Enforced: 1}) || s.Conditions[1].Reason != "Enforced" || s.Conditions[1].ObservedGeneration != 1 {
		t.Errorf("status %+v", s)
	}

	// A policy that sets nothing is distinguished from one that selects nothing.
	empty := policyOf(t, "empty", "shadow: false")
	plane.Store.SetPolicy(empty)
	if s := plane.View().PolicyStatus(empty, nil, api.TrafficPolicyStatus{}); s.Conditions[1].Reason != "NoEffect" || s.Subscribers != 0 {
		t.Errorf("status of a policy that sets nothing: %+v", s)
	}
	plane.Store.RemovePolicy("shop", "empty")

	// A selected pod that does not subscribe ignores the policy, and the status says so as soon as the pod had its time to connect.
	plane.Store.SetPod(podNamed("users-2"))
	s = plane.View().PolicyStatus(limit, nil, s)
	if s.Verdicts.Pending != 1 || len(s.Exceptions) != 1 || s.Exceptions[0].Pod != "users-2" || s.Conditions[1].Reason != "Pending" {
		t.Errorf("status with a pod that has not connected yet: %+v", s)
	}
	plane.present.since = time.Unix(1, 0)
	s = plane.View().PolicyStatus(limit, nil, s)
	if s.Verdicts.Ignored != 1 || len(s.Exceptions) != 1 || s.Exceptions[0].Pod != "users-2" || s.Conditions[1].Reason != "Ignored" {
		t.Errorf("status with a pod that ignores it: %+v", s)
	}

	plane.Store.RemovePolicy("shop", "limit")
	soon(t, "the limit is removed", func() bool { return code(t.Context(), client) == codes.OK })
}

func TestPlane_OutageKeepsThePolicy(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	plane.Store.SetPolicy(policyOf(t, "bulkhead", "methods: [{bulkhead: {maxConcurrent: 7}}]"))
	service, _ := startService(t, "users-1", control.address)
	inForce := func(limit int64) func() bool {
		return func() bool { return service.process.Policy.Rules().Server("a.B/C").MaxConcurrent == limit }
	}
	soon(t, "the policy is in force", inForce(7))
	control.stop()
	if !inForce(7)() {
		t.Error("the policy ended with the control plane")
	}
	again, _ := startPlane(t, control.address)
	again.Store.SetPod(podNamed("users-1"))
	again.Store.SetPolicy(policyOf(t, "bulkhead", "methods: [{bulkhead: {maxConcurrent: 8}}]"))
	soon(t, "the policy of the new control plane is in force", inForce(8))
}

func TestPlane_RejectedPolicyIsReported(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	startService(t, "users-1", control.address)
	// No reader accepts it, but a control plane with a fault could send it.
	bad := policyOf(t, "bad", "methods: [{bulkhead: {maxConcurrent: 1}}]")
	bad.Spec.Methods[0].Method = "no method"
	plane.Store.SetPolicy(bad)
	var s api.TrafficPolicyStatus
	soon(t, "the rejection is reported", func() bool {
		s = plane.View().PolicyStatus(bad, nil, s)
		return s.Verdicts.Rejected == 1
	})
	if e := s.Exceptions[0]; e.Pod != "users-1" || !strings.Contains(e.Why, "no method") || s.Conditions[1].Reason != "Rejected" {
		t.Errorf("status %+v", s)
	}
	plane.Store.SetPolicy(policyOf(t, "bad", "methods: [{bulkhead: {maxConcurrent: 2}}]"))
	soon(t, "the process accepts the next policy", func() bool { return plane.ADS.Subscribers()[0].InForce })
}

func TestPlane_OnlyPodsOfTheAccount(t *testing.T) {
	plane, control := startPlane(t, "")
	other := podNamed("other-1")
	other.Account = "other"
	plane.Store.SetPod(other)
	conn, err := grpc.NewClient(control.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for name, want := range map[string]codes.Code{"shop/other-1": codes.PermissionDenied, "elsewhere/users-1": codes.PermissionDenied, "shop/unknown": codes.Unavailable, "": codes.PermissionDenied} {
		if got := subscribe(t, conn, name); got != want {
			t.Errorf("subscribing to %q: %s, want %s", name, got, want)
		}
	}
}

func TestPlane_EventsOfEveryProcess(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	service, _ := startService(t, "users-1", control.address)
	conn, err := grpc.NewClient(control.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := telemetryv1.NewEventsClient(conn).Watch(ctx, &telemetryv1.WatchRequest{FromOldest: true, Kinds: []string{"breaker"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		service.process.Events.Add(governance.Event{Kind: governance.KindBreaker, Subject: fmt.Sprint(n)})
	}
	for n := range 3 {
		e, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetSubject() != fmt.Sprint(n) || e.GetPod() != "users-1" || e.GetNamespace() != "shop" || e.GetBoot() != service.process.Events.Boot() {
			t.Errorf("event %d: %v", n, e)
		}
	}
}

func TestPlane_NoControlPlane(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	_, client := startService(t, "users-1", address)
	if got := code(t.Context(), client); got != codes.OK {
		t.Errorf("a call without a control plane: %s", got)
	}
}

// subscribe requests a resource and returns the code with which the stream ends.
func subscribe(t *testing.T, conn *grpc.ClientConn, name string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DiscoveryRequest{TypeUrl: ads.TypeURL, ResourceNames: []string{name}}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return status.Code(err)
}

func TestPolicyStatus_ChangeNotYetCompiled(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	first := policyOf(t, "limit", "methods: [{bulkhead: {maxConcurrent: 3}}]")
	reason := func(p compile.TrafficPolicy) string {
		return plane.View().PolicyStatus(p, nil, api.TrafficPolicyStatus{}).Conditions[1].Reason
	}
	if got := reason(first); got != "Pending" {
		t.Errorf("before it is in the store: %s", got)
	}
	plane.Store.SetPolicy(first)
	startService(t, "users-1", control.address)
	soon(t, "the policy is enforced", func() bool { return reason(first) == "Enforced" })
	second := first
	second.Generation = 2
	if got := reason(second); got != "Pending" {
		t.Errorf("a change that is not in the store yet: %s", got)
	}
}

// TestPolicyStatus_MethodOfNoService: a misspelt method is not reported as enforced, at the replica of the process and at another one.
func TestPolicyStatus_MethodOfNoService(t *testing.T) {
	plane, control := startPlane(t, "")
	other, _ := startPlane(t, "")
	follow(t, other, control.address)
	misspelt := policyOf(t, "misspelt", "methods: [{method: grpc.testing.TestService/UnaryCal, bulkhead: {maxConcurrent: 3}}]")
	right := policyOf(t, "right", "methods: [{method: grpc.testing.TestService/Unary*, bulkhead: {maxConcurrent: 3}}]")
	for _, p := range []*Plane{plane, other} {
		p.Store.SetPod(podNamed("users-1"))
		p.Store.SetPolicy(misspelt)
		p.Store.SetPolicy(right)
	}
	startService(t, "users-1", control.address)
	for _, p := range []*Plane{plane, other} {
		soon(t, "the right policy is enforced", func() bool {
			return p.View().PolicyStatus(right, nil, api.TrafficPolicyStatus{}).Conditions[1].Reason == "Enforced"
		})
		s := p.View().PolicyStatus(misspelt, nil, api.TrafficPolicyStatus{})
		if s.Verdicts != (api.Verdicts{Ignored: 1}) || s.Conditions[1].Reason != "Ignored" || s.Exceptions[0].Why != "grpc.testing.TestService/UnaryCal matches no method of the service" {
			t.Errorf("status %+v", s)
		}
	}
}

// TestPolicyStatus_PartsThatAPushCannotSet: they are named one by one, and the other parts of the policy are enforced.
func TestPolicyStatus_PartsThatAPushCannotSet(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	p := policyOf(t, "parts", "tuning: {gzip: true}\nshed: {minLimit: 1, maxLimit: 200, initialLimit: 50}")
	plane.Store.SetPolicy(p)
	startService(t, "users-1", control.address)
	var s api.TrafficPolicyStatus
	soon(t, "the policy is acknowledged", func() bool {
		s = plane.View().PolicyStatus(p, nil, api.TrafficPolicyStatus{})
		return s.Verdicts.Enforced == 1
	})
	if s.Verdicts != (api.Verdicts{Enforced: 1, Ignored: 1}) || s.Exceptions[0].Field != "tuning" || s.Exceptions[0].Why != "a process reads it before it receives a policy: only its policy file sets it" {
		t.Errorf("status %+v", s)
	}
}
