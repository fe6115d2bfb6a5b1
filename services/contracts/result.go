package contracts

import "fmt"

// Problem is one thing that is not as expected: a field of an answer, "code" for how the call ended, "state" for what was to be before it,
// or a descriptor by its full name. Field is empty where there is none.
type Problem struct {
	Field string `json:"field"`
	What  string `json:"problem"`
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.What
	}
	return p.Field + ": " + p.What
}

// Result is what came of replaying one interaction: it holds when there are no problems, and was not tried when Skipped says why.
type Result struct {
	Consumer, Provider, Interaction, Method string
	Skipped                                 string
	Problems                                []Problem
}

// Breaches are sentences, one a problem, that name the consumer, the interaction and the field.
func (r Result) Breaches() []string {
	var all []string
	for _, p := range r.Problems {
		all = append(all, fmt.Sprintf("%s breaks what %s expects in %q: %s", r.Provider, r.Consumer, r.Interaction, p))
	}
	return all
}
