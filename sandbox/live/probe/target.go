package probe

import (
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Target is the workload of a policy.
type Target struct {
	Service string
	// Pods is the number of its ready pods.
	Pods int
	// Methods are its unary methods.
	Methods []Method
	// Loaded means that the load generator may call it.
	Loaded bool
}

// Method is a method with a request that can be sent often.
type Method struct{ Name, Request string }

// harmless reports whether calls of the method change nothing, which its name says.
func (m Method) harmless() bool {
	_, name, _ := strings.Cut(m.Name, "/")
	return strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List")
}

// method returns a harmless method to which part of methods[i] applies: no other entry of the policy with this part has precedence.
func (t Target) method(spec *policyv1.TrafficPolicySpec, i int, part func(*policyv1.MethodPolicy) bool) (Method, bool) {
	entry := spec.GetMethods()[i]
	for _, m := range t.Methods {
		if !m.harmless() || !policy.Matches(entry.GetMethod(), m.Name) {
			continue
		}
		applies := true
		for j, other := range spec.GetMethods() {
			if j == i || !part(other) || !policy.Matches(other.GetMethod(), m.Name) {
				continue
			}
			if a, b := policy.Exactness(other.GetMethod()), policy.Exactness(entry.GetMethod()); a > b || a == b && j > i {
				applies = false
			}
		}
		if applies {
			return m, true
		}
	}
	return Method{}, false
}

// limitOf returns the lowest limit of calls per second of a method in the policy, and 0 without one.
func (t Target) limitOf(spec *policyv1.TrafficPolicySpec, m Method) (lowest float64) {
	lower := func(rate float64) {
		if rate > 0 && (lowest == 0 || rate < lowest) {
			lowest = rate
		}
	}
	lower(spec.GetMaxRequestsPerSecond())
	for _, entry := range spec.GetMethods() {
		if policy.Matches(entry.GetMethod(), m.Name) {
			for _, l := range entry.GetRate().GetLimits() {
				rate, _ := t.rateOf(l)
				lower(rate)
			}
		}
	}
	return lowest
}

// rateOf returns the calls per second that a limit admits to the whole workload, and the field that says it.
func (t Target) rateOf(l *policyv1.WorkloadRate) (rate float64, field string) {
	switch {
	case l.GetLimit().GetTokenBucket() != nil:
		rate, field = l.GetLimit().GetTokenBucket().GetRate(), "limit.tokenBucket.rate"
	case l.GetLimit().GetLeakyBucket() != nil:
		rate, field = l.GetLimit().GetLeakyBucket().GetRate(), "limit.leakyBucket.rate"
	}
	if l.GetScope() == policyv1.RateScope_RATE_SCOPE_POD {
		rate *= float64(t.Pods)
	}
	return rate, field
}
