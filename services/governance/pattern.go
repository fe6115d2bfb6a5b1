package governance

import (
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
)

// bareMethod returns the name of a method as policies, metrics and events write it: package.Service/Method.
func bareMethod(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// alwaysExempt are methods to which no policy, breaker or fault ever applies, neither when served nor when called. Without health checks the
// platform would kill the pod before the effect of a fault can be seen, and without control methods a fault could not be removed.
var alwaysExempt = []string{"grpc.health.v1.Health/*", "grpc.reflection.*/*", "grpc.channelz.*/*", "envoy.service.*/*"}

// callersOnly are the exempt methods to which lists of callers apply: they reveal details of the process, and the platform does not need them.
var callersOnly = []string{"grpc.reflection.*/*", "grpc.channelz.*/*"}

func (c *compiled) isExempt(method string) bool {
	return pattern.MatchesAny(alwaysExempt, method) || pattern.MatchesAny(c.exempt, method)
}
