package xds

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

func TestJudge_Gateway(t *testing.T) {
	const e, a, i = controlv1.Verdict_VERDICT_ENFORCED, controlv1.Verdict_VERDICT_APPROXIMATED, controlv1.Verdict_VERDICT_IGNORED
	for name, c := range map[string]struct {
		policy string
		field  string
		side   compile.Side
		want   controlv1.Verdict
	}{
		"a limit of the workload":               {"maxRequestsPerSecond: 50", "maxRequestsPerSecond", compile.Server, e},
		"a limit of no whole number per minute": {"maxRequestsPerSecond: 0.02", "maxRequestsPerSecond", compile.Server, a},
		"a limit of less than one per minute":   {"maxRequestsPerSecond: 0.000001", "maxRequestsPerSecond", compile.Server, a},
		"a whole rate":                          {"methods: [{rate: {limits: [{limit: {tokenBucket: {rate: 20}}}]}}]", "methods[0].rate.limits", compile.Server, e},
		"half a call per second":                {"methods: [{rate: {limits: [{limit: {tokenBucket: {rate: 0.5}}}]}}]", "methods[0].rate.limits", compile.Server, e},
		"no whole number per minute":            {"methods: [{rate: {limits: [{limit: {tokenBucket: {rate: 0.33}}}]}}]", "methods[0].rate.limits", compile.Server, a},
		"a leaky bucket of less than one":       {"methods: [{rate: {limits: [{limit: {leakyBucket: {rate: 0.001}}}]}}]", "methods[0].rate.limits", compile.Server, a},
		"the second of two limits":              {"methods: [{rate: {limits: [{limit: {tokenBucket: {rate: 20}}}, {limit: {tokenBucket: {rate: 0.33}}}]}}]", "methods[0].rate.limits", compile.Server, a},
		"a bulkhead":                            {"methods: [{bulkhead: {maxConcurrent: 1}}]", "methods[0].bulkhead.maxConcurrent", compile.Server, e},
		"an adaptive limit":                     {"shed: {minLimit: 2}", "shed.minLimit", compile.Server, i},
		"in shadow mode":                        {"shadow: true\nmethods: [{bulkhead: {maxConcurrent: 1}}]", "methods[0].bulkhead.maxConcurrent", compile.Server, i},
		"for a share of the calls":              {"percent: 10\nmethods: [{bulkhead: {maxConcurrent: 1}}]", "methods[0].bulkhead.maxConcurrent", compile.Server, i},
		"a retry of its own calls":              {"methods: [{retry: {idempotent: true, maxAttempts: 2}}]", "methods[0].retry.maxAttempts", compile.Client, a},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			for _, v := range compile.New(withPolicy(t, world(), "p", c.policy)).For(compile.Process{Pod: world().Pods[1], Callees: []string{"users"}}).Values {
				for _, f := range Judge(NGINX, v) {
					if v.Side != c.side || f.GetField() != c.field {
						continue
					}
					found = true
					if f.GetVerdict() != c.want || (f.GetWhy() == "") != (c.want == e) {
						t.Errorf("%s: %s, because %q, want %s", f.GetField(), f.GetVerdict(), f.GetWhy(), c.want)
					}
				}
			}
			if !found {
				t.Errorf("no verdict on %s", c.field)
			}
		})
	}
}

func TestJudge_GatewayInjectsNoFaults(t *testing.T) {
	for _, f := range Judge(NGINX, compile.Value{Side: compile.Server, Field: "fault", Object: compile.Object{Kind: compile.KindFault}}) {
		if f.GetVerdict() != controlv1.Verdict_VERDICT_IGNORED || f.GetWhy() == "" {
			t.Errorf("%s: %s, because %q", f.GetField(), f.GetVerdict(), f.GetWhy())
		}
	}
}
