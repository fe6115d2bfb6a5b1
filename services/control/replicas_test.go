package control

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

func plainly(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// follow lets a plane follow another one until the test ends.
func follow(t *testing.T, plane *Plane, address string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- plane.Follow(ctx, Replicas{Find: func(context.Context) ([]string, error) { return []string{address}, nil }, Dial: plainly})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestReplicas_EachKnowsTheProcessesOfTheOther: a process is connected to one of two replicas; status, events and leases work on the other one.
func TestReplicas_EachKnowsTheProcessesOfTheOther(t *testing.T) {
	first, at := startPlane(t, "")
	second, other := startPlane(t, "")
	follow(t, second, at.address)
	follow(t, first, other.address)
	limit := policyOf(t, "limit", "methods: [{bulkhead: {maxConcurrent: 3}}]")
	for _, plane := range []*Plane{first, second} {
		plane.Store.SetPod(podNamed("users-1"))
		plane.Store.SetPolicy(limit)
		plane.Store.Permit("shop", true)
	}
	service, client := startService(t, "users-1", at.address)
	soon(t, "the other replica reports the policy as enforced", func() bool {
		s := second.View().PolicyStatus(limit, nil, api.TrafficPolicyStatus{})
		return s.Enforcing == 1 && s.Verdicts == (api.Verdicts{Enforced: 1})
	})

	conn, err := plainly(other.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	events, err := telemetryv1.NewEventsClient(conn).Watch(ctx, &telemetryv1.WatchRequest{FromOldest: true, Kinds: []string{"breaker"}})
	if err != nil {
		t.Fatal(err)
	}
	service.process.Events.Add(governance.Event{Kind: governance.KindBreaker, Subject: "chosen"})
	if e, err := events.Recv(); err != nil || e.GetSubject() != "chosen" || e.GetPod() != "users-1" || e.GetRun() != second.Hub.Run() {
		t.Errorf("the other replica sent %v, %v", e, err)
	}

	// The fault is renewed at one replica, and its process is connected to the other one.
	fault := faultOf(t, "slow", "abort: {code: ABORTED}\nleaseSeconds: 5")
	first.Store.SetFault(fault)
	second.Store.SetFault(fault)
	renewals, err := controlv1.NewLeasesClient(conn).Renew(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 7*time.Second; {
		if err := renewals.Send(&controlv1.RenewRequest{Namespace: "shop", Name: "slow"}); err != nil {
			t.Fatal(err)
		}
		if answer, err := renewals.Recv(); err != nil || answer.GetUnknown() {
			t.Fatalf("renewing: %v, %v", answer, err)
		}
		timer := time.NewTimer(500 * time.Millisecond)
		<-timer.C
	}
	if first.Store.Leases.Over(fault.UID) || code(t.Context(), client).String() != "Aborted" {
		t.Error("the lease ended at the replica that did not receive the renewals")
	}

	service.stop()
	soon(t, "the other replica knows that the process is gone", func() bool { return len(second.Subscribers()) == 0 })
}
