package policy

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policy/internal/rules"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Check returns the problems of an EffectivePolicy, a TrafficPolicySpec or a FaultSpec: the values that break a rule of its proto.
func Check(p proto.Message) (problems []Problem) {
	var violations []rules.Violation
	switch p := p.(type) {
	case *policyv1.EffectivePolicy:
		violations = rules.CheckEffectivePolicy(p)
	case *policyv1.TrafficPolicySpec:
		violations = rules.CheckTrafficPolicySpec(p)
	case *policyv1.FaultSpec:
		violations = rules.CheckFaultSpec(p)
	default:
		problems = append(problems, Problem{Why: fmt.Sprintf("%T is no policy", p)})
	}
	for _, v := range violations {
		problems = append(problems, Problem{Field: v.Field, Why: v.Why, Try: v.Try})
	}
	return problems
}
