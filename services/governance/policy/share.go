package policy

import (
	"math"
	"slices"
	"strconv"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Share identifies the calls that a limit or a breaker counts. Those of one share keep what they counted while the policy changes. The zero value
// is that of rules for every call.
type Share struct {
	// Percent is the percent of the rule; 0 means that it has none.
	Percent float64
	// Shadow means that the rule is in shadow mode.
	Shadow bool
}

// Name returns the name of a method or group within a share of rules that are enforced: a/B of all calls, and a/B (10%) of a share.
func (s Share) Name(of string) string {
	if s.Percent == 0 {
		return of
	}
	return of + " (" + strconv.FormatFloat(s.Percent, 'g', -1, 64) + "%)"
}

// everyCall is the number of calls to which no rule with a percent below 100 applies.
const everyCall = 100

// percentOf returns the percent of a rule. That of a rule for every call is greater than every number that is drawn.
func percentOf(set *float64) float64 {
	if set == nil || *set >= 100 {
		return math.Inf(1)
	}
	return *set
}

// rule is what the rules of both sides and trials have in common.
type rule interface{ GetShadow() bool }

// shareOf returns the share of a rule.
func shareOf(r rule, percent *float64) Share {
	if p := percentOf(percent); !math.IsInf(p, 1) {
		return Share{p, r.GetShadow()}
	}
	return Share{0, r.GetShadow()}
}

// enforced reports whether a rule is enforced for a call for which a number was drawn.
func enforced(r rule, percent *float64, number float64) bool {
	return !r.GetShadow() && percentOf(percent) > number
}

// shadowed reports whether a rule in shadow mode is evaluated for a call for which a number was drawn.
func shadowed(r rule, percent *float64, number float64) bool {
	return r.GetShadow() && percentOf(percent) > number
}

// thresholds returns the sorted percentages among all, without those that mean no call or every call.
func thresholds(all []*float64) (sorted []float64) {
	for _, p := range all {
		if at := percentOf(p); at > 0 && !math.IsInf(at, 1) {
			sorted = append(sorted, at)
		}
	}
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// serverPercents returns the percent of all rules that concern a served method.
func (r *Rules) serverPercents(method string) (all []*float64) {
	for _, rule := range r.source.GetServer() {
		if pattern.Matches(rule.GetMethod(), method) {
			all = append(all, rule.Percent)
		}
	}
	for _, t := range r.source.GetTrials() {
		all = append(all, t.Percent)
	}
	return all
}

// clientPercents returns the percent of all rules that concern a method of a callee.
func (r *Rules) clientPercents(e edge) (all []*float64) {
	for _, rule := range r.source.GetClient() {
		if matchesEdge(rule, e) {
			all = append(all, rule.Percent)
		}
	}
	return all
}

func matchesEdge(rule *policyv1.ClientRule, e edge) bool {
	return pattern.Matches(rule.GetCallee(), e.callee) && pattern.Matches(rule.GetMethod(), e.method)
}

// whole has the limits of all received calls together.
type whole struct {
	rate *policyv1.RateLimits
	shed *policyv1.Shed
}

// wholesOf returns the limits of all received calls, by the calls that they count.
func wholesOf(p *policyv1.EffectivePolicy) map[Share]whole {
	all := map[Share]whole{{}: {p.GetRate(), p.GetShed()}}
	for _, t := range p.GetTrials() {
		of := shareOf(t, t.Percent)
		w := all[of]
		if t.GetRate() != nil {
			w.rate = t.GetRate()
		}
		if t.GetShed() != nil {
			w.shed = t.GetShed()
		}
		all[of] = w
	}
	return all
}

// Shed returns the adaptive limit of all received calls, or of a share of them; nil means none.
func (r *Rules) Shed(of Share) *policyv1.Shed {
	if s := r.wholes[of].shed; !s.GetDisabled() {
		return s
	}
	return nil
}

// Rate returns the limits of all received calls together, or of a share of them; nil means none.
func (r *Rules) Rate(of Share) []*policyv1.RateLimit { return r.wholes[of].rate.GetLimits() }
