package policy

import (
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// clientRule returns the rule for a method of a callee, with those for shares of the calls.
func (r *Rules) clientRule(e edge) *ClientRule {
	if r.Exempt(e.method) {
		return &ClientRule{StreamTimeout: streamTimeout}
	}
	c, parts := r.clientRuleFor(e, everyCall)
	made := []behind{parts}
	least := 0.0
	for _, percent := range thresholds(r.clientPercents(e)) {
		share, parts := r.clientRuleFor(e, least)
		// Rules with the same breaker have the same settings, so that they need not be compared with each call.
		for _, other := range made {
			if other.breaker == parts.breaker && other.throttle == parts.throttle {
				share.Breaker, share.BreakerOf = other.result, other.of
			}
		}
		made = append(made, behind{parts.breaker, parts.throttle, share.Breaker, share.BreakerOf})
		share.Percent = percent
		c.Shares = append(c.Shares, share)
		least = percent
	}
	return c
}

// behind is a breaker behind a throttle: the settings of a policy, and what follows from them.
type behind struct {
	breaker  *policyv1.Breaker
	throttle *policyv1.Throttle
	result   *policyv1.Breaker
	of       Share
}

// clientRuleFor returns the rule for the calls for which a number was drawn.
func (r *Rules) clientRuleFor(e edge, number float64) (*ClientRule, behind) {
	c := &ClientRule{StreamTimeout: streamTimeout}
	for _, rule := range r.source.GetClient() {
		if matchesEdge(rule, e) && applies(rule.Percent, number) {
			c.follow(rule)
		}
	}
	parts := behind{breaker: c.Breaker, throttle: c.Throttle}
	if c.Breaker.GetFailureRatio() == 0 {
		// Whether calls are throttled changes the ratio of their breaker.
		c.BreakerOf = smaller(c.BreakerOf, c.ThrottleOf)
	}
	c.Breaker = breakerBehind(c.Throttle, c.Breaker)
	parts.result, parts.of = c.Breaker, c.BreakerOf
	c.Faults = fault.ForMethod(r.source.GetClientFaults(), r.pod, e.callee, e.method)
	return c, parts
}

// follow takes the parts of a rule over.
func (c *ClientRule) follow(rule *policyv1.ClientRule) {
	if d := rule.GetDeadline(); d != nil {
		c.Timeout = duration(d.GetTimeout(), 0)
		c.StreamTimeout = duration(d.GetStreamTimeout(), streamTimeout)
		c.StreamMax = duration(d.GetStreamTimeout(), 0)
		c.NoTimeout = d.GetNone()
		if d.GetStreamNone() {
			c.StreamTimeout = 0
		}
	}
	if b := rule.GetBreaker(); b != nil {
		c.Breaker, c.BreakerOf = b, shareOf(rule.Percent)
	}
	if t := rule.GetRetry(); t != nil {
		c.Retry = t
		if t.GetMaxAttempts() == 1 {
			c.Retry = nil
		}
	}
	if h := rule.GetHedge(); h != nil {
		c.Hedge = h
		if h.GetMaxAttempts() == 1 {
			c.Hedge = nil
		}
	}
	if f := rule.GetFallback(); f != nil {
		c.NoFallback = f.GetDisabled()
	}
	if t := rule.GetThrottle(); t != nil {
		c.Throttle, c.ThrottleOf = t, shareOf(rule.Percent)
		if t.GetDisabled() {
			c.Throttle = nil
		}
	}
	if k := rule.GetClassify(); k != nil {
		c.classes = classesOf(k)
	}
}

// ThrottleFor returns the throttle of a share of the calls; nil means none.
func (c *ClientRule) ThrottleFor(of Share) *policyv1.Throttle {
	if c.ThrottleOf == of {
		return c.Throttle
	}
	for _, share := range c.Shares {
		if share.ThrottleOf == of {
			return share.Throttle
		}
	}
	return nil
}

// smaller returns the smaller one of two shares.
func smaller(a, b Share) Share {
	if b.Percent != 0 && (a.Percent == 0 || b.Percent < a.Percent) {
		return b
	}
	return a
}

// breakerBehind returns the breaker of a method. Behind a throttle its default ratio is higher, because it would otherwise open before the throttle has
// an effect.
func breakerBehind(t *policyv1.Throttle, b *policyv1.Breaker) *policyv1.Breaker {
	if t == nil || b != nil && b.FailureRatio != nil {
		return b
	}
	behind := &policyv1.Breaker{}
	proto.Merge(behind, b)
	behind.FailureRatio = proto.Float64(0.9)
	return behind
}
