package policy

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// ServerShadow is what rules in shadow mode say about a served method: what would be refused if they were enforced.
type ServerShadow struct {
	// DeadlineRequired would refuse calls without a deadline.
	DeadlineRequired bool
	// Timeout and StreamTimeout would be the deadlines of calls that have none; 0 means that the rules set none.
	Timeout, StreamTimeout time.Duration
	// MaxConcurrent is the number of calls that would be served at a time; 0 means no limit.
	MaxConcurrent int64
	// Limits are the rate limits.
	Limits []*policyv1.RateLimit
	// LimitsOf and MaxConcurrentOf are the calls that Limits and MaxConcurrent count.
	LimitsOf, MaxConcurrentOf Share
	// RateOf and ShedOf are the calls that limits of all methods together count; the zero value means that there is no such limit in shadow mode.
	RateOf, ShedOf Share

	// callers are patterns; nil means all callers.
	callers []string
}

// Allows reports whether a caller could call the method.
func (s *ServerShadow) Allows(caller string) bool { return allows(s.callers, caller) }

// ClientShadow is what rules in shadow mode say about a called method.
type ClientShadow struct {
	// Timeout and StreamTimeout would be the longest deadlines; 0 means that the rules set none.
	Timeout, StreamTimeout time.Duration
	// Breaker has the settings of a breaker; nil means that the rules have none.
	Breaker *policyv1.Breaker
	// Throttle says which share of the calls would be refused; nil means none.
	Throttle *policyv1.Throttle
	// BreakerOf and ThrottleOf are the calls that breaker and throttle count.
	BreakerOf, ThrottleOf Share
}

// serverShadow returns what rules in shadow mode say about the calls for which a number was drawn, and nil if there are none.
func (r *Rules) serverShadow(method string, number float64) (s *ServerShadow) {
	made := func() *ServerShadow {
		if s == nil {
			s = &ServerShadow{LimitsOf: Share{Shadow: true}, MaxConcurrentOf: Share{Shadow: true}}
		}
		return s
	}
	for _, rule := range r.source.GetServer() {
		if pattern.Matches(rule.GetMethod(), method) && shadowed(rule, rule.Percent, number) {
			made().follow(rule)
		}
	}
	for _, t := range r.source.GetTrials() {
		if t.GetRate() != nil && shadowed(t, t.Percent, number) {
			made().RateOf = shareOf(t, t.Percent)
		}
		if t.GetShed() != nil && shadowed(t, t.Percent, number) {
			made().ShedOf = shareOf(t, t.Percent)
		}
	}
	return s
}

// follow takes the parts of a rule over.
func (s *ServerShadow) follow(rule *policyv1.ServerRule) {
	if d := rule.GetDeadline(); d != nil {
		s.DeadlineRequired = d.GetRequired()
		s.Timeout, s.StreamTimeout = duration(d.GetTimeout(), 0), duration(d.GetStreamTimeout(), 0)
	}
	if b := rule.GetBulkhead(); b != nil {
		s.MaxConcurrent, s.MaxConcurrentOf = int64(b.GetMaxConcurrent()), shareOf(rule, rule.Percent)
	}
	if l := rule.GetRate(); l != nil {
		s.Limits, s.LimitsOf = l.GetLimits(), shareOf(rule, rule.Percent)
	}
	if a := rule.GetCallers(); a != nil {
		s.callers = append([]string{}, a.GetAllow()...)
	}
}

// clientShadow returns what rules in shadow mode say about the calls for which a number was drawn, and nil if there are none.
func (r *Rules) clientShadow(e edge, number float64, breakers behinds) (c *ClientShadow) {
	for _, rule := range r.source.GetClient() {
		if !matchesEdge(rule, e) || !shadowed(rule, rule.Percent, number) {
			continue
		}
		if c == nil {
			c = &ClientShadow{}
		}
		if d := rule.GetDeadline(); d != nil {
			c.Timeout, c.StreamTimeout = duration(d.GetTimeout(), 0), duration(d.GetStreamTimeout(), 0)
		}
		if b := rule.GetBreaker(); b != nil {
			c.Breaker, c.BreakerOf = b, shareOf(rule, rule.Percent)
		}
		if t := rule.GetThrottle(); t != nil {
			c.Throttle, c.ThrottleOf = t, shareOf(rule, rule.Percent)
			if t.GetDisabled() {
				c.Throttle = nil
			}
		}
	}
	if c != nil && c.Breaker != nil {
		c.BreakerOf = breakerOf(c.Breaker, c.BreakerOf, c.ThrottleOf)
		c.Breaker = breakers.of(c.Throttle, c.Breaker)
	}
	return c
}
