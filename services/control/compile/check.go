package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// maxFault is the longest duration of a fault.
const maxFault = time.Hour

// CheckPolicy returns the problems of a specification. The fields are those of the specification.
func CheckPolicy(s *policyv1.TrafficPolicySpec) (problems []policy.Problem) {
	problems = checkSelector(s.GetSelector())
	if s.MaxRequestsPerSecond != nil && !(s.GetMaxRequestsPerSecond() > 0 && s.GetMaxRequestsPerSecond() <= 1e9) {
		problems = append(problems, policy.Problem{Field: "maxRequestsPerSecond", Why: "must be a number of calls per second above 0"})
	}
	whole := &policyv1.EffectivePolicy{Shed: s.GetShed(), Tuning: s.GetTuning(), Connections: []*policyv1.Connection{{
		RetryBudget: s.GetRetryBudget(), OutlierEjection: s.GetOutlierEjection(), HealthCheck: s.GetHealthCheck()}}}
	problems = append(problems, checkCompiled(whole, func(field string) string { return strings.TrimPrefix(field, "connections[0].") })...)
	for i, m := range s.GetMethods() {
		at := index("methods", i) + "."
		parts := &policyv1.EffectivePolicy{Server: []*policyv1.ServerRule{serverRule(m, 1)}, Client: []*policyv1.ClientRule{clientRule(m, "")}}
		problems = append(problems, checkCompiled(parts, func(field string) string { return at + ofMethod(field) })...)
	}
	return slices.CompactFunc(problems, func(a, b policy.Problem) bool { return a.Field == b.Field && a.Why == b.Why })
}

// ofMethod converts the path of a field in a compiled rule to that in a MethodPolicy.
func ofMethod(field string) string {
	if rest, ok := strings.CutPrefix(field, "server[0]."); ok {
		if rest, ok := strings.CutPrefix(rest, "deadline"); ok {
			return "serverDeadline" + rest
		}
		if strings.HasPrefix(rest, "rate.limits[") {
			return strings.Replace(rest, "]", "].limit", 1)
		}
		return rest
	}
	return strings.TrimPrefix(field, "client[0].")
}

// CheckFault returns the problems of a specification. The fields are those of the specification.
func CheckFault(s *policyv1.FaultSpec) (problems []policy.Problem) {
	problems = checkSelector(s.GetSelector())
	add := func(wrong bool, field, why, try string) {
		if wrong {
			problems = append(problems, policy.Problem{Field: field, Why: why, Try: try})
		}
	}
	seconds, d := s.GetLeaseSeconds(), s.GetDuration()
	add(seconds != 0 && (seconds < 5 || seconds > 60), "leaseSeconds", "must be from 5 to 60, or 0 for no lease", "10")
	add(seconds == 0 && d == nil, "duration", "is required without leaseSeconds, so that the fault ends", "1m")
	add(d != nil && (d.AsDuration() <= 0 || d.AsDuration() > maxFault), "duration", "must be more than 0 and at most 1h", "1m")
	client := s.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT
	add(!client && s.GetCallee() != "", "callee", "must be empty, because calls that a pod receives have no callee", "")
	one := &policyv1.EffectivePolicy{ClientFaults: []*policyv1.Fault{effect(Fault{Object: Object{UID: "checked"}, Spec: s})}}
	return append(problems, checkCompiled(one, func(field string) string {
		return strings.TrimPrefix(strings.TrimPrefix(field, "clientFaults[0]"), ".")
	})...)
}

func checkSelector(s *policyv1.WorkloadSelector) []policy.Problem {
	if len(s.GetMatchLabels()) == 0 {
		return []policy.Problem{{Field: "selector.matchLabels", Why: "needs at least one label", Try: fmt.Sprintf("{%s: userservice}", ServiceLabel)}}
	}
	return nil
}

func checkCompiled(p *policyv1.EffectivePolicy, rename func(string) string) []policy.Problem {
	_, err := policy.New(p)
	var found *policy.Error
	if !errors.As(err, &found) {
		return nil
	}
	for i := range found.Problems {
		found.Problems[i].Field = rename(found.Problems[i].Field)
	}
	return found.Problems
}
