package policy

import "github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"

// alwaysExempt are methods to which no policy, breaker or fault ever applies, neither when served nor when called. Without health checks the
// platform would kill the pod before the effect of a fault can be seen, and without control methods a fault could not be removed.
var alwaysExempt = []string{"grpc.health.v1.Health/*", "grpc.reflection.*/*", "grpc.channelz.*/*", "envoy.service.*/*"}

// callersOnly are the exempt methods to which lists of callers apply: they reveal details of the process, and the platform does not need them.
var callersOnly = []string{"grpc.reflection.*/*", "grpc.channelz.*/*"}

// Exempt reports whether no part of the policy applies to a method, except lists of callers to some.
func (r *Rules) Exempt(method string) bool {
	return pattern.MatchesAny(alwaysExempt, method) || pattern.MatchesAny(r.exempt, method)
}
