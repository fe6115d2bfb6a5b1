package control

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// TestApply_DecidesTheAcknowledgement pushes policies to a process whose enforcer accepts the first and refuses the second.
func TestApply_DecidesTheAcknowledgement(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	var refuse atomic.Bool
	process := run(t, governance.Config{Service: "users", Pod: "users-1"}, func(_ context.Context, p *governance.Process, _ *grpc.Server) error {
		return subscriber.Start(p, subscriber.Config{Addr: control.address, Namespace: "shop", Enforcer: subscriber.NGINX, Served: []string{"a.B/C"}, Apply: func() error {
			if refuse.Load() {
				return errors.New("nginx rejects the configuration")
			}
			return nil
		}})
	})
	view := func() (verdict controlv1.Verdict, why string) {
		answer, err := policies{plane: plane}.Subscribers(t.Context(), &controlv1.SubscribersRequest{Namespace: "shop", Kind: "TrafficPolicy", Name: "limit"})
		if err != nil || len(answer.GetSubscribers()) != 1 || len(answer.GetSubscribers()[0].GetFields()) != 1 {
			return 0, ""
		}
		s := answer.GetSubscribers()[0]
		if s.GetClient() != string(xds.NGINX) {
			return 0, "client " + s.GetClient()
		}
		return s.GetFields()[0].GetVerdict(), s.GetFields()[0].GetWhy()
	}
	plane.Store.SetPolicy(policyOf(t, "limit", "methods: [{bulkhead: {maxConcurrent: 3}}]"))
	soon(t, "the first policy is enforced", func() bool {
		verdict, _ := view()
		return verdict == controlv1.Verdict_VERDICT_ENFORCED
	})
	refuse.Store(true)
	second := policyOf(t, "limit", "methods: [{bulkhead: {maxConcurrent: 4}}]")
	second.Generation = 2
	plane.Store.SetPolicy(second)
	soon(t, "the second policy is rejected with the reason", func() bool {
		verdict, why := view()
		return verdict == controlv1.Verdict_VERDICT_REJECTED && strings.Contains(why, "nginx rejects the configuration")
	})
	if got := process.process.Policy.Rules().Server("a.B/C").MaxConcurrent; got != 3 {
		t.Errorf("%d calls at once are in force, want those of the last good policy", got)
	}
}
