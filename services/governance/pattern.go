package governance

import (
	"path"
	"strings"
)

// matches says whether a pattern of a policy covers the name. Empty covers everything; a broken pattern, which check refuses, nothing.
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

// bare is a method as policies, metrics and events write it: package.Service/Method.
func bare(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// alwaysExempt are the methods that no policy, breaker or fault ever touches, served or called: without health the platform kills the pod
// before anybody sees the fault, and without control nobody can take it back.
var alwaysExempt = []string{"grpc.health.v1.Health/*", "grpc.reflection.*/*", "grpc.channelz.*/*", "envoy.service.*/*"}

// guarded are those of them that tell about the process, and that no platform needs: lists of callers hold for them too.
var guarded = []string{"grpc.reflection.*/*", "grpc.channelz.*/*"}

func (c *compiled) isExempt(method string) bool {
	return matchesAny(alwaysExempt, method) || matchesAny(c.exempt, method)
}
