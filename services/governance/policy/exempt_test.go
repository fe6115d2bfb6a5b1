package policy

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestExempt_OnlyListedMethods(t *testing.T) {
	p, err := New(&policyv1.EffectivePolicy{Server: []*policyv1.ServerRule{{
		Callers: &policyv1.Callers{Allow: []string{"nobody"}}, Bulkhead: &policyv1.Bulkhead{MaxConcurrent: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	p.Exempt("fault.v1.Control/*")
	for _, c := range []struct {
		method          string
		exempt, callers bool
	}{
		{"grpc.health.v1.Health/Check", true, false},
		{"grpc.health.v1.Health/Watch", true, false},
		{"fault.v1.Control/Heal", true, false},
		{"grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true},
		{"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", true, true},
		{"grpc.channelz.v1.Channelz/GetServers", true, true},
		{"envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", true, true},
		{"envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", true, true},
		{"envoy.service.auth.v3.Authorization/Check", false, true},
		{"envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", false, true},
		{"envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus", false, true},
		{"envoy.service.discovery.v3.AggregatedDiscoveryServiceOfMine/Call", false, true},
		{"grpc.reflection.v2.Mine/Call", false, true},
		{"grpc.health.v1.HealthOfMine/Check", false, true},
		{"a.B/C", false, true},
	} {
		t.Run(c.method, func(t *testing.T) {
			rule := p.Rules().Server(c.method)
			if rule.Exempt != c.exempt || rule.LimitsCallers() != c.callers || (rule.MaxConcurrent == 0) != c.exempt {
				t.Errorf("exempt: %v, with a list of callers: %v, bulkhead: %d", rule.Exempt, rule.LimitsCallers(), rule.MaxConcurrent)
			}
			if got := p.Rules().Exempt(c.method); got != c.exempt {
				t.Errorf("called: exempt %v", got)
			}
		})
	}
}
