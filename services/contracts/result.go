package contracts

import "fmt"

// Problem is one difference from a contract. Field is the path of a field in an answer, "code" for the end of the call, "state" for the
// preparation, or the full name of a descriptor; empty if none of these applies.
type Problem struct {
	Field string `json:"field"`
	// What says how the answer differs from the contract.
	What string `json:"problem"`
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.Field == "" {
		return p.What
	}
	return p.Field + ": " + p.What
}

// Result is the outcome of replaying one interaction. It is a success without Problems, and was not replayed if Skipped has the reason.
type Result struct {
	// Consumer and Provider are those of the contract. Interaction is the name of the interaction, Method its method.
	Consumer, Provider, Interaction, Method string
	Skipped                                 string
	Problems                                []Problem
}

// Breaches returns one sentence per problem, which names the consumer, the interaction and the field.
func (r Result) Breaches() []string {
	var all []string
	for _, p := range r.Problems {
		all = append(all, fmt.Sprintf("%s breaks what %s expects in %q: %s", r.Provider, r.Consumer, r.Interaction, p))
	}
	return all
}
