package policy

import (
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// clientRule returns the rule for a method of a callee, with those for shares of the calls.
func (r *Rules) clientRule(e edge) *ClientRule {
	if r.Exempt(e.method) {
		return &ClientRule{StreamTimeout: DefaultStreamTimeout}
	}
	breakers := behinds{}
	c := r.clientRuleFor(e, everyCall, breakers)
	least := 0.0
	for _, percent := range thresholds(r.clientPercents(e)) {
		share := r.clientRuleFor(e, least, breakers)
		share.Percent = percent
		c.Shares = append(c.Shares, share)
		least = percent
	}
	return c
}

// clientRuleFor returns the rule for the calls for which a number was drawn.
func (r *Rules) clientRuleFor(e edge, number float64, breakers behinds) *ClientRule {
	c := &ClientRule{StreamTimeout: DefaultStreamTimeout}
	for _, rule := range r.source.GetClient() {
		if matchesEdge(rule, e) && enforced(rule, rule.Percent, number) {
			c.follow(rule)
		}
	}
	c.BreakerOf = breakerOf(c.Breaker, c.BreakerOf, c.ThrottleOf)
	c.Breaker = breakers.of(c.Throttle, c.Breaker)
	c.Shadow = r.clientShadow(e, number, breakers)
	c.Faults = fault.ForMethod(r.source.GetClientFaults(), r.pod, e.callee, e.method)
	return c
}

// follow takes the parts of a rule over.
func (c *ClientRule) follow(rule *policyv1.ClientRule) {
	if d := rule.GetDeadline(); d != nil {
		c.Timeout = duration(d.GetTimeout(), 0)
		c.StreamTimeout = duration(d.GetStreamTimeout(), DefaultStreamTimeout)
		c.StreamMax = duration(d.GetStreamTimeout(), 0)
		c.NoTimeout = d.GetNone()
		if d.GetStreamNone() {
			c.StreamTimeout = 0
		}
	}
	if b := rule.GetBreaker(); b != nil {
		c.Breaker, c.BreakerOf = b, shareOf(rule, rule.Percent)
	}
	if t := rule.GetRetry(); t != nil {
		c.Retry = t
		if t.GetMaxAttempts() == 1 {
			c.Retry = nil
		} else {
			// A unary call is retried or hedged, as the last rule says. Hedging leaves a retry to streams.
			c.Hedge = nil
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
		c.Throttle, c.ThrottleOf = t, shareOf(rule, rule.Percent)
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
	for _, r := range append([]*ClientRule{c}, c.Shares...) {
		if r.ThrottleOf == of {
			return r.Throttle
		}
		if r.Shadow != nil && r.Shadow.ThrottleOf == of {
			return r.Shadow.Throttle
		}
	}
	return nil
}

// breakerOf returns the calls that the breaker of a rule counts. Whether calls are throttled changes the ratio of their breaker, unless the policy says it.
func breakerOf(b *policyv1.Breaker, of, throttled Share) Share {
	if b.GetFailureRatio() == 0 && throttled.Percent != 0 && (of.Percent == 0 || throttled.Percent < of.Percent) {
		return throttled
	}
	return of
}

// behinds has the breakers behind throttles. Those with the same settings are one message, so that settings need not be compared with each call.
type behinds map[struct {
	throttle *policyv1.Throttle
	breaker  *policyv1.Breaker
}]*policyv1.Breaker

func (m behinds) of(t *policyv1.Throttle, b *policyv1.Breaker) *policyv1.Breaker {
	key := struct {
		throttle *policyv1.Throttle
		breaker  *policyv1.Breaker
	}{t, b}
	if _, made := m[key]; !made {
		m[key] = breakerBehind(t, b)
	}
	return m[key]
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
