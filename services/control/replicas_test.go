package control

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/lease"
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

// TestReplicas_EachKnowsTheProcessesOfTheOther: a process is connected to one of two replicas; status and events work on the other one.
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
	service, _ := startService(t, "users-1", at.address)
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

	service.stop()
	soon(t, "the other replica knows that the process is gone", func() bool { return len(second.Subscribers()) == 0 })
}

// TestReplicas_RenewalIsSentToTheOthers: what one replica is asked to renew, it sends to those that follow it.
func TestReplicas_RenewalIsSentToTheOthers(t *testing.T) {
	plane, at := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(podNamed("users-1"))
	plane.Store.SetFault(faultOf(t, "slow", "abort: {code: ABORTED}\nleaseSeconds: 5"))
	conn, err := plainly(at.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	updates, err := controlv1.NewPeersClient(conn).Follow(ctx, &controlv1.FollowRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// The first update is sent once the replica passes on renewals.
	if _, err := updates.Recv(); err != nil {
		t.Fatal(err)
	}
	renewals, err := controlv1.NewLeasesClient(conn).Renew(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := renewals.Send(&controlv1.RenewRequest{Namespace: "shop", Name: "slow"}); err != nil {
		t.Fatal(err)
	}
	if answer, err := renewals.Recv(); err != nil || answer.GetUnknown() {
		t.Fatalf("renewing: %v, %v", answer, err)
	}
	for {
		update, err := updates.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r := update.GetRenewed(); r != nil {
			if r.GetNamespace() != "shop" || r.GetName() != "slow" {
				t.Errorf("sent %v", r)
			}
			return
		}
	}
}

// oneUpdate is a stream with one update.
type oneUpdate struct {
	grpc.ServerStreamingClient[controlv1.PeerUpdate]
	update *controlv1.PeerUpdate
}

func (s oneUpdate) Recv() (*controlv1.PeerUpdate, error) { return s.update, nil }

// TestReplicas_RenewalOfAnotherKeepsTheLease: the fault is renewed at another replica only.
func TestReplicas_RenewalOfAnotherKeepsTheLease(t *testing.T) {
	plane, now := &Plane{Store: NewStore()}, time.Unix(0, 0)
	plane.Store.Leases.Now = func() time.Time { return now }
	plane.Store.Leases.Keep([]lease.Fault{{UID: "a", Namespace: "shop", Name: "slow", Time: 5 * time.Second}})
	for range 3 {
		now = now.Add(4 * time.Second)
		err := plane.receive("other", oneUpdate{update: &controlv1.PeerUpdate{Update: &controlv1.PeerUpdate_Renewed{
			Renewed: &controlv1.RenewRequest{Namespace: "shop", Name: "slow"}}}})
		if err != nil || plane.Store.Leases.Expire() || plane.Store.Leases.Over("a") {
			t.Fatalf("the lease has ended at %s, %v", now, err)
		}
	}
	now = now.Add(5 * time.Second)
	if !plane.Store.Leases.Expire() {
		t.Error("the lease has no end")
	}
}
