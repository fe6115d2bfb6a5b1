package verify

import (
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// The results of a check.
const (
	pass = "pass"
	fail = "fail"
	skip = "skip"
)

// Document is the result of a run as data. Add fields; never rename one.
type Document struct {
	// Result is pass or fail.
	Result string `json:"result"`
	// Interactions and Descriptors are never null.
	Interactions []Interaction `json:"interactions"`
	Descriptors  []Descriptors `json:"descriptors"`
	breaches     []string
}

// Interaction is the result of one interaction of a contract.
type Interaction struct {
	// Consumer and Provider are those of the contract. Interaction is the name of the interaction, Method its method.
	Consumer    string `json:"consumer"`
	Provider    string `json:"provider"`
	Interaction string `json:"interaction"`
	Method      string `json:"method"`
	// Result is pass, fail or skip.
	Result string `json:"result"`
	// Why is the reason for a skip.
	Why string `json:"why"`
	// Problems is empty, not null, without any.
	Problems []contracts.Problem `json:"problems"`
}

// Descriptors is the result of comparing the descriptors of one provider with the source tree.
type Descriptors struct {
	// Provider is the name of the release.
	Provider string `json:"provider"`
	// Result is pass or fail.
	Result string `json:"result"`
	// Problems is empty, not null, without any.
	Problems []contracts.Problem `json:"problems"`
	// More lists what is deployed but not in the tree. That is not a problem.
	More []string `json:"more"`
}

// Breaches returns a sentence for each problem, with consumer, interaction and field.
func (d *Document) Breaches() []string { return d.breaches }

func (d *Document) addInteraction(r contracts.Result) {
	row := Interaction{r.Consumer, r.Provider, r.Interaction, r.Method, resultOf(r.Problems), r.Skipped, append([]contracts.Problem{}, r.Problems...)}
	if r.Skipped != "" {
		row.Result = skip
	}
	d.Interactions = append(d.Interactions, row)
	d.breaches = append(d.breaches, r.Breaches()...)
}

func (d *Document) addDescriptors(provider string, problems []contracts.Problem, more []string) {
	d.Descriptors = append(d.Descriptors, Descriptors{provider, resultOf(problems), append([]contracts.Problem{}, problems...), append([]string{}, more...)})
	for _, p := range problems {
		d.breaches = append(d.breaches, provider+" is not what the tree describes: "+p.String())
	}
}

func resultOf(problems []contracts.Problem) string {
	if len(problems) > 0 {
		return fail
	}
	return pass
}
