package compile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// rule is one entry of methods of a policy, or the policy itself for what concerns the whole workload.
type rule struct {
	policy *TrafficPolicy
	// at is the path of the entry in its object, such as methods[0]; empty for the policy itself.
	at     string
	method *policyv1.MethodPolicy
}

// pattern is the pattern of methods to which the rule applies; empty for every method.
func (r rule) pattern() string { return r.method.GetMethod() }

// exactness orders patterns: none, with wildcards, exact.
func exactness(pattern string) int {
	switch {
	case pattern == "" || pattern == "*/*":
		return 0
	case strings.ContainsAny(pattern, "*?"):
		return 1
	default:
		return 2
	}
}

// precedence is negative if a applies rather than b: more labels, then the more exact method, then the older object, then the lower name.
func precedence(a, b rule) int {
	return cmp.Or(
		cmp.Compare(len(b.policy.Spec.GetSelector().GetMatchLabels()), len(a.policy.Spec.GetSelector().GetMatchLabels())),
		cmp.Compare(exactness(b.pattern()), exactness(a.pattern())),
		a.policy.Created.Compare(b.policy.Created),
		strings.Compare(a.policy.Name, b.policy.Name),
	)
}

// lastWins sorts rules as governance applies them: the last one that matches. Entries of one policy that are equally exact keep their order.
func lastWins(rules []rule) {
	slices.SortStableFunc(rules, func(a, b rule) int { return precedence(b, a) })
}

// rulesOf returns the rules of all methods of policies.
func rulesOf(policies []*TrafficPolicy) (all []rule) {
	for _, p := range policies {
		for i, m := range p.Spec.GetMethods() {
			all = append(all, rule{p, index("methods", i), m})
		}
	}
	lastWins(all)
	return all
}

// wholes returns a rule for each policy, for what concerns the whole workload.
func wholes(policies []*TrafficPolicy) (all []rule) {
	for _, p := range policies {
		all = append(all, rule{policy: p, method: &policyv1.MethodPolicy{}})
	}
	lastWins(all)
	return all
}

// Covers reports whether every method that matches the second pattern matches the first. It may return false for unusual pairs of patterns.
func Covers(general, special string) bool {
	switch {
	case general == "" || general == special:
		return true
	case special == "":
		return general == "*/*"
	case strings.Contains(special, "*") && strings.Contains(general, "?"):
		return false
	default:
		// A wildcard of special is a character that a wildcard of general must match.
		return policy.Matches(general, special)
	}
}
