package policy

import "github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"

// Matching returns a key that is the same for all served methods to which the same rules and faults apply. There are as many keys as the policy
// can tell methods apart, even if clients invent names of methods.
func (r *Rules) Matching(method string) (key string) {
	bits := []byte{bit(r.Exempt(method)), bit(pattern.MatchesAny(callersOnly, method))}
	for _, rule := range r.source.GetServer() {
		bits = append(bits, bit(pattern.Matches(rule.GetMethod(), method)))
	}
	for _, f := range r.source.GetServerFaults() {
		bits = append(bits, bit(pattern.Matches(f.GetMethod(), method)))
	}
	return string(bits)
}

// MatchingClient is Matching for the methods of a callee that are called.
func (r *Rules) MatchingClient(callee, method string) (key string) {
	bits := []byte{bit(r.Exempt(method))}
	for _, rule := range r.source.GetClient() {
		bits = append(bits, bit(matchesEdge(rule, edge{callee, method})))
	}
	for _, f := range r.source.GetClientFaults() {
		bits = append(bits, bit(pattern.Matches(f.GetCallee(), callee) && pattern.Matches(f.GetMethod(), method)))
	}
	return string(bits)
}

func bit(on bool) byte {
	if on {
		return '1'
	}
	return '0'
}

// Unregistered returns the rule for a served method whose name a client may have invented. Unlike Server, it remembers nothing.
func (r *Rules) Unregistered(method string) *ServerRule { return r.serverRule(method) }

// UnknownClient returns the rule for a method of a callee whose name may be invented. Unlike Client, it remembers nothing.
func (r *Rules) UnknownClient(callee, method string) *ClientRule {
	return r.clientRule(edge{callee, method})
}
