package governance

import (
	"path"
	"strings"
)

// matches reports whether a pattern of a policy matches a name. An empty pattern matches everything; a malformed one, which check rejects,
// matches nothing.
func matches(pattern, name string) bool {
	if pattern == "" || pattern == name {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if p != "" && matches(p, name) {
			return true
		}
	}
	return false
}

// bareMethod returns the name of a method as policies, metrics and events write it: package.Service/Method.
func bareMethod(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// alwaysExempt are methods to which no policy, breaker or fault ever applies, neither when served nor when called. Without health checks the
// platform would kill the pod before the effect of a fault can be seen, and without control methods a fault could not be removed.
var alwaysExempt = []string{"grpc.health.v1.Health/*", "grpc.reflection.*/*", "grpc.channelz.*/*", "envoy.service.*/*"}

// callersOnly are the exempt methods to which lists of callers apply: they reveal details of the process, and the platform does not need them.
var callersOnly = []string{"grpc.reflection.*/*", "grpc.channelz.*/*"}

func (c *compiled) isExempt(method string) bool {
	return matchesAny(alwaysExempt, method) || matchesAny(c.exempt, method)
}
