package policy

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// The deadlines of received calls that have none, if the policy says nothing.
const (
	serverTimeout = 10 * time.Second
	serverMargin  = 10 * time.Millisecond
)

// DefaultStreamTimeout is the deadline of a stream that has none, if no rule says another one.
const DefaultStreamTimeout = time.Hour

// serverRule returns the rule for a served method, with those for shares of the calls.
func (r *Rules) serverRule(method string) *ServerRule {
	s := r.serverRuleFor(method, everyCall)
	least := 0.0
	for _, percent := range thresholds(r.serverPercents(method)) {
		share := r.serverRuleFor(method, least)
		share.Percent = percent
		s.Shares = append(s.Shares, share)
		least = percent
	}
	return s
}

// serverRuleFor returns the rule for the calls for which a number was drawn.
func (r *Rules) serverRuleFor(method string, number float64) *ServerRule {
	s := &ServerRule{Timeout: serverTimeout, StreamTimeout: DefaultStreamTimeout, Margin: serverMargin,
		Priority: policyv1.Priority_PRIORITY_NORMAL, Exempt: r.Exempt(method)}
	if !s.Exempt || pattern.MatchesAny(callersOnly, method) {
		s.callers = r.callers(method, number)
	}
	if s.Exempt {
		return s
	}
	var chosen *policyv1.CallerPriority
	for _, rule := range r.source.GetServer() {
		if !pattern.Matches(rule.GetMethod(), method) || !enforced(rule, rule.Percent, number) {
			continue
		}
		s.follow(rule)
		if c := rule.GetCallerPriority(); c != nil {
			chosen = c
		}
	}
	if chosen != nil && !chosen.GetDisabled() {
		// A caller that chooses nothing has the priority of the method.
		s.MaxPriority = max(s.Priority, chosen.GetMax())
	}
	for _, t := range r.source.GetTrials() {
		if t.GetRate() != nil && enforced(t, t.Percent, number) {
			s.RateOf = shareOf(t, t.Percent)
		}
		if t.GetShed() != nil && enforced(t, t.Percent, number) {
			s.ShedOf = shareOf(t, t.Percent)
		}
	}
	s.Shadow = r.serverShadow(method, number)
	s.Faults = fault.ForMethod(r.source.GetServerFaults(), r.pod, "", method)
	return s
}

// follow takes the parts of a rule over.
func (s *ServerRule) follow(rule *policyv1.ServerRule) {
	if d := rule.GetDeadline(); d != nil {
		s.DeadlineRequired = d.GetRequired()
		s.Timeout = duration(d.GetTimeout(), serverTimeout)
		s.StreamTimeout = duration(d.GetStreamTimeout(), DefaultStreamTimeout)
		s.Margin = duration(d.GetMargin(), serverMargin)
		if d.GetNone() {
			s.Timeout = 0
		}
		if d.GetStreamNone() {
			s.StreamTimeout = 0
		}
	}
	if b := rule.GetBulkhead(); b != nil {
		s.MaxConcurrent, s.MaxConcurrentOf = int64(b.GetMaxConcurrent()), shareOf(rule, rule.Percent)
	}
	if l := rule.GetRate(); l != nil {
		s.Limits, s.LimitsOf = l.GetLimits(), shareOf(rule, rule.Percent)
	}
	if p := rule.GetPriority(); p != policyv1.Priority_PRIORITY_UNSPECIFIED {
		s.Priority = p
	}
	if g := rule.GetShedGroup(); g != "" {
		s.ShedGroup = g
	}
}

// callers returns the last list that matches the method and applies to a call for which a number was drawn, and nil if there is none.
func (r *Rules) callers(method string, number float64) (allowed []string) {
	for _, rule := range r.source.GetServer() {
		if a := rule.GetCallers(); a != nil && pattern.Matches(rule.GetMethod(), method) && enforced(rule, rule.Percent, number) {
			allowed = append([]string{}, a.GetAllow()...)
		}
	}
	return allowed
}
