package control

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

func TestPresence_Arriving(t *testing.T) {
	now := time.Now()
	pod := podNamed("users-1")
	process := []ads.Subscriber{{State: ads.State{Process: compile.Process{Pod: pod}}}}
	for _, c := range []struct {
		sentence               string
		started, created, left time.Duration
		want                   bool
	}{
		{"an old pod that was never connected", time.Hour, time.Hour, 0, false},
		{"the replica has just started", 14 * time.Second, time.Hour, 0, true},
		{"the pod is new", time.Hour, 14 * time.Second, 0, true},
		{"it has just lost its connection", time.Hour, time.Hour, 14 * time.Second, true},
		{"it lost its connection long ago", time.Hour, time.Hour, 16 * time.Second, false},
	} {
		p := &presence{since: now.Add(-c.started)}
		pod.Created = now.Add(-c.created)
		if c.left > 0 {
			p.see(process, now.Add(-time.Hour))
			p.see(nil, now.Add(-c.left))
			p.see(nil, now)
		}
		if got := p.arriving(pod, now); got != c.want {
			t.Errorf("%s: %v, want %v", c.sentence, got, c.want)
		}
	}
}

// TestSubscribers_PodsWithoutAConnection: the list for a policy also has the selected pods that are not connected.
func TestSubscribers_PodsWithoutAConnection(t *testing.T) {
	plane, _ := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	plane.Store.SetPolicy(policyOf(t, "limit", "maxRequestsPerSecond: 50"))
	for _, c := range []struct {
		since time.Time
		want  controlv1.Verdict
	}{{time.Now(), controlv1.Verdict_VERDICT_PENDING}, {time.Unix(1, 0), controlv1.Verdict_VERDICT_IGNORED}} {
		plane.present.since = c.since
		got, err := policies{plane: plane}.Subscribers(t.Context(), &controlv1.SubscribersRequest{Namespace: "shop", Kind: "TrafficPolicy", Name: "limit"})
		if err != nil || len(got.GetSubscribers()) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		if s := got.GetSubscribers()[0]; s.GetPod() != "users-1" || s.GetConnectedSince() != nil || s.GetFields()[0].GetVerdict() != c.want {
			t.Errorf("subscriber %v, want %s", s, c.want)
		}
	}
	got, err := policies{plane: plane}.Subscribers(t.Context(), &controlv1.SubscribersRequest{Namespace: "shop"})
	if err != nil || len(got.GetSubscribers()) != 0 {
		t.Errorf("without a policy: %v, %v", got, err)
	}
}
