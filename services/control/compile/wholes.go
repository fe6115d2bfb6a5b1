package compile

import (
	"slices"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// limitAll adds the limits of all calls that the pod receives. Policies are added from the one with the lowest precedence.
func (c *Compiler) limitAll(p *TrafficPolicy, pod Pod, out *policyv1.EffectivePolicy) {
	s := p.Spec
	limits := &policyv1.Trial{Shadow: s.GetShadow(), Percent: s.Percent, Shed: s.GetShed()}
	if s.MaxRequestsPerSecond != nil {
		limits.Rate = workloadRate(s.GetMaxRequestsPerSecond(), c.sharing(p, pod))
	}
	switch {
	case limits.Rate == nil && limits.Shed == nil:
	case s.GetShadow() || shareOf(s.Percent) < 100:
		out.Trials = append(out.Trials, limits)
	default:
		replaceAll(out, limits)
	}
}

// replaceAll makes limits apply to every call, instead of what other policies say about every call or a share of them.
func replaceAll(out *policyv1.EffectivePolicy, limits *policyv1.Trial) {
	for _, t := range out.GetTrials() {
		if limits.GetRate() != nil && !t.GetShadow() {
			t.Rate = nil
		}
		if limits.GetShed() != nil && !t.GetShadow() {
			t.Shed = nil
		}
	}
	out.Trials = slices.DeleteFunc(out.Trials, func(t *policyv1.Trial) bool { return t.GetRate() == nil && t.GetShed() == nil })
	if limits.GetRate() != nil {
		out.Rate = limits.GetRate()
	}
	if limits.GetShed() != nil {
		out.Shed = limits.GetShed()
	}
}
