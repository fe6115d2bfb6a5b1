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

// precedence is negative if a applies rather than b: more labels, then the more exact method, then the older object, then the lower name.
func precedence(a, b rule) int {
	return cmp.Or(
		cmp.Compare(len(b.policy.Spec.GetSelector().GetMatchLabels()), len(a.policy.Spec.GetSelector().GetMatchLabels())),
		cmp.Compare(policy.Exactness(b.pattern()), policy.Exactness(a.pattern())),
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
