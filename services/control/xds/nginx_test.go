package xds

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestJudge_Gateway(t *testing.T) {
	// As the compiler hands it over: see compile.Value.
	rates := func(rate float64) *policyv1.WorkloadRates {
		bucket := &policyv1.RateLimit{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: rate}}}
		return &policyv1.WorkloadRates{Limits: []*policyv1.WorkloadRate{{Limit: bucket}}}
	}
	ten := 10.0
	for _, c := range []struct {
		name  string
		value compile.Value
		want  controlv1.Verdict
	}{
		{"a limit of the workload", compile.Value{Side: compile.Server, Field: "maxRequestsPerSecond", Text: "50"}, controlv1.Verdict_VERDICT_ENFORCED},
		{"a limit of less than one per minute", compile.Value{Side: compile.Server, Field: "maxRequestsPerSecond", Text: "0.000001"}, controlv1.Verdict_VERDICT_APPROXIMATED},
		{"a limit of no whole number per minute", compile.Value{Side: compile.Server, Field: "maxRequestsPerSecond", Text: "0.02"}, controlv1.Verdict_VERDICT_APPROXIMATED},
		{"a whole rate", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(20)}, controlv1.Verdict_VERDICT_ENFORCED},
		{"half a call per second", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(0.5)}, controlv1.Verdict_VERDICT_ENFORCED},
		{"no whole number per minute", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(0.33)}, controlv1.Verdict_VERDICT_APPROXIMATED},
		{"less than one per minute", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(0.001)}, controlv1.Verdict_VERDICT_APPROXIMATED},
		{"a bulkhead", compile.Value{Side: compile.Server, Field: "methods[0].bulkhead", Part: &policyv1.Bulkhead{MaxConcurrent: 1}}, controlv1.Verdict_VERDICT_ENFORCED},
		{"an adaptive limit", compile.Value{Side: compile.Server, Field: "shed", Part: &policyv1.Shed{}}, controlv1.Verdict_VERDICT_IGNORED},
		{"in shadow mode", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(20), Shadow: true}, controlv1.Verdict_VERDICT_IGNORED},
		{"for a share of the calls", compile.Value{Side: compile.Server, Field: "methods[0].rate", Part: rates(20), Percent: &ten}, controlv1.Verdict_VERDICT_IGNORED},
		{"a retry of its own calls", compile.Value{Side: compile.Client, Field: "methods[0].retry", Part: &policyv1.Retry{MaxAttempts: 2}}, controlv1.Verdict_VERDICT_APPROXIMATED},
		{"a fault in received calls", compile.Value{Side: compile.Server, Field: "fault", Object: compile.Object{Kind: compile.KindFault}}, controlv1.Verdict_VERDICT_IGNORED},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range Judge(NGINX, c.value) {
				if f.GetVerdict() != c.want || f.GetVerdict() != controlv1.Verdict_VERDICT_ENFORCED && f.GetWhy() == "" {
					t.Errorf("%s: %s, because %q", f.GetField(), f.GetVerdict(), f.GetWhy())
				}
			}
		})
	}
}
