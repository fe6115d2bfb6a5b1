package policy

import "github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"

// health are the methods to which nothing in a policy ever applies: without health checks the platform would kill the pod before the effect of a
// fault can be seen.
var health = []string{"grpc.health.v1.Health/*"}

// callersOnly are the methods to which no policy, breaker or fault ever applies, neither when served nor when called, except lists of callers:
// they reveal details of the process or of the whole system, and the platform does not need them. A client needs aggregated discovery to find any
// service at all. Other services of Envoy, such as authorization, are services like any other.
var callersOnly = []string{
	"grpc.reflection.v1.ServerReflection/*",
	"grpc.reflection.v1alpha.ServerReflection/*",
	"grpc.channelz.v1.Channelz/*",
	"envoy.service.discovery.v3.AggregatedDiscoveryService/*",
}

// Exempt reports whether no part of the policy applies to a method, except lists of callers to some.
func (r *Rules) Exempt(method string) bool {
	return pattern.MatchesAny(health, method) || pattern.MatchesAny(callersOnly, method) || pattern.MatchesAny(r.exempt, method)
}
