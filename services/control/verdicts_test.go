package control

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// A rule with a misspelt method is in force nowhere, whatever kind of client has acknowledged it.
func TestVerdictsOf_MethodOfNoService(t *testing.T) {
	for _, kind := range []xds.Kind{xds.Governance, xds.NGINX} {
		pod := compile.Process{Pod: compile.Pod{Namespace: "shop", Name: "gateway-1", Labels: map[string]string{compile.ServiceLabel: "gateway"}}, Served: []string{"a.B/C"}}
		s := ads.Subscriber{State: ads.State{Process: pod, Kind: kind}, InForce: true}
		for method, want := range map[string]controlv1.Verdict{"a.B/C": controlv1.Verdict_VERDICT_ENFORCED, "a.B/X": controlv1.Verdict_VERDICT_IGNORED} {
			v := compile.Value{Object: compile.Object{Kind: compile.KindTrafficPolicy}, Field: "methods[0].bulkhead", Method: method, Side: compile.Server, Part: &policyv1.Bulkhead{MaxConcurrent: 1}}
			for _, f := range verdictsOf(s, v, servedBy([]ads.Subscriber{s})) {
				if f.GetVerdict() != want {
					t.Errorf("%s, %s: %s is %s, want %s", kind, method, f.GetField(), f.GetVerdict(), want)
				}
			}
		}
	}
}
