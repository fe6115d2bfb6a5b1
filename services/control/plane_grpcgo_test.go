package control

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

func TestGRPCGo_OutageKeepsTheResources(t *testing.T) {
	b := startBackend(t, "users-1", nil)
	plane, control := startShop(t, b)
	limit := policyOf(t, "deadline", "methods: [{deadline: {timeout: 5s}}]")
	plane.Store.SetPolicy(limit)
	c := xdsClient(t, control.address, "xds:///users")
	mustCall(t, c)
	pushed := plane.ADS.Subscribers()[0].Sent
	control.stop()
	for range 20 {
		if got := code(t.Context(), c); got != codes.OK {
			t.Fatalf("a call without a control plane: %s", got)
		}
	}
	again, _ := startPlane(t, control.address)
	again.Store.SetPod(callerPod())
	again.Store.SetPod(b.pod)
	again.Store.SetPolicy(limit)
	soon(t, "the client has the same policy again", func() bool {
		mustCall(t, c)
		s := again.ADS.Subscribers()
		return len(s) == 1 && s[0].InForce && s[0].Acknowledged == pushed && pushed != ""
	})
	again.Store.SetPolicy(policyOf(t, "retry", "methods: [{retry: {idempotent: true, maxAttempts: 2}}]"))
	applied(t, again, "TrafficPolicy", "retry")
	mustCall(t, c)
}

// The client is connected to one of two replicas; the other one reports the same of it.
func TestGRPCGo_OtherReplicaReportsTheVerdicts(t *testing.T) {
	b := startBackend(t, "users-1", nil)
	first, at := startShop(t, b)
	second, other := startShop(t, b)
	follow(t, second, at.address)
	follow(t, first, other.address)
	retry := policyOf(t, "retry", "methods: [{retry: {idempotent: true, maxAttempts: 2, perTryTimeout: 1s}}]")
	for _, plane := range []*Plane{first, second} {
		plane.Store.SetPolicy(retry)
	}
	mustCall(t, xdsClient(t, at.address, "xds:///users"))
	var here, there []*controlv1.FieldVerdict
	soon(t, "both replicas report the verdicts", func() bool {
		here, there = applied(t, first, "TrafficPolicy", "retry"), applied(t, second, "TrafficPolicy", "retry")
		return len(here) == 3 && len(there) == 3
	})
	for i, f := range here {
		want := controlv1.Verdict_VERDICT_ENFORCED
		if f.GetField() == "methods[0].retry.perTryTimeout" {
			want = controlv1.Verdict_VERDICT_IGNORED
		}
		if f.GetVerdict() != want || !proto.Equal(f, there[i]) {
			t.Errorf("%v and %v, want %s", f, there[i], want)
		}
	}
}

func TestGRPCGo_ChangesOfOtherServicesAreNotSent(t *testing.T) {
	plane, control := startShop(t, startBackend(t, "users-1", nil))
	other := podNamed("orders-1")
	other.Labels = map[string]string{compile.ServiceLabel: "orders"}
	other.IP, other.Port = "127.0.0.3", 8443
	plane.Store.SetPod(other)
	c := xdsClient(t, control.address, "xds:///users")
	mustCall(t, c)
	soon(t, "the client has everything", func() bool { return plane.ADS.Subscribers()[0].InForce })
	before := control.pushes.Load()

	elsewhere := policyOf(t, "orders", "methods: [{deadline: {timeout: 2s}}]")
	elsewhere.Spec.Selector.MatchLabels = other.Labels
	plane.Store.SetPolicy(elsewhere)
	other.IP = "127.0.0.4"
	plane.Store.SetPod(other)
	// A time-out changes the routes, and nothing else.
	plane.Store.SetPolicy(policyOf(t, "users", "methods: [{deadline: {timeout: 2s}}]"))
	applied(t, plane, "TrafficPolicy", "users")
	if sent := control.pushes.Load() - before; sent != 1 {
		t.Errorf("%d responses, want 1", sent)
	}
}

func TestGRPCGo_IsListedAsASubscriber(t *testing.T) {
	plane, control := startShop(t, startBackend(t, "users-1", nil))
	mustCall(t, xdsClient(t, control.address, "xds:///users"))
	startService(t, "caller-1", control.address)
	var clients []string
	soon(t, "both subscribers are listed", func() bool {
		answer, err := policies{plane: plane}.Subscribers(t.Context(), &controlv1.SubscribersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		clients = nil
		for _, s := range answer.GetSubscribers() {
			clients = append(clients, s.GetPod()+" "+s.GetClient())
		}
		return len(clients) == 2
	})
	if clients[0] != "caller-1 governance" && clients[1] != "caller-1 governance" || clients[0] != "caller-1 gRPC Go 1.85.0" && clients[1] != "caller-1 gRPC Go 1.85.0" {
		t.Errorf("subscribers %q", clients)
	}
}
