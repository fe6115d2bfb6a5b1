package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/throttle"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// clientShadow is what rules in shadow mode need to be evaluated. breaker and throttle are nil if the rules have none. They count the calls that they
// would have sent, apart from those that are enforced.
type clientShadow struct {
	rule     *policy.ClientShadow
	breaker  *methodBreaker
	throttle *throttle.Throttle
}

func (c *client) shadow(m *clientMethod, name string, rule *policy.ClientRule) *clientShadow {
	p := rule.Shadow
	if p == nil || m.breaker == nil {
		return nil
	}
	sh := &clientShadow{rule: p}
	if p.Throttle != nil {
		sh.throttle = c.throttleOf(m, name, p.ThrottleOf)
	}
	if p.Breaker != nil {
		sh.breaker = m.shadowBreakers.Of(p.BreakerOf, func(of policy.Share) *methodBreaker {
			return c.cfg.Breakers.shadow(m.breakerKey(of))
		})
	}
	return sh
}

// clientShadowed is the evaluation of rules in shadow mode for one call. What would have been refused is counted once.
type clientShadowed struct {
	refused bool
	// ticket is that of the breaker, if it has admitted the call.
	ticket   breaker.Ticket
	admitted bool
	// timeout would be the deadline of the call; 0 if it has an earlier one.
	timeout time.Duration
}

// beginShadow notes the deadline that rules in shadow mode would have set. The call has its own deadline already.
func (c *clientCall) beginShadow() {
	if c.shadow == nil {
		return
	}
	c.shadowed = &clientShadowed{timeout: c.shadow.rule.Timeout}
	if c.stream {
		c.shadowed.timeout = c.shadow.rule.StreamTimeout
	}
	if at, has := c.ctx.Deadline(); has && time.Until(at) <= c.shadowed.timeout {
		c.shadowed.timeout = 0
	}
}

func (c *clientCall) wouldRefuse(reason string) {
	c.shadowed.refused = true
	c.method.shadows.refused(c.ctx, reason)
}

// admitShadow lets throttle and breaker of rules in shadow mode decide, as admit does.
func (c *clientCall) admitShadow() {
	sh := c.shadow
	if sh == nil {
		return
	}
	// The breaker in force is the one behind the throttle, if the rules in shadow mode have none.
	b := sh.breaker
	if b == nil {
		b = c.breaker
	}
	if sh.throttle != nil && b.Closed() {
		if _, allowed := sh.throttle.Allow(); !allowed {
			c.wouldRefuse(refusal.ReasonThrottled)
			return
		}
	}
	if sh.breaker == nil {
		return
	}
	var err error
	if c.stream {
		c.shadowed.ticket, err = sh.breaker.allowStream(sh.rule.Breaker)
	} else {
		c.shadowed.ticket, err = sh.breaker.allow(sh.rule.Breaker)
	}
	if c.shadowed.admitted = err == nil; err != nil {
		c.wouldRefuse(refusal.Reason(err))
	}
}

// tellShadow reports the end of a call to what would have admitted it. first means that the call has not been counted before.
func (c *clientCall) tellShadow(outcome breaker.Outcome, first bool, took time.Duration) {
	sh := c.shadowed
	if sh == nil || sh.refused {
		return
	}
	if sh.timeout > 0 && took > sh.timeout && outcome.Verdict == breaker.Success && !c.stream {
		// The call would have failed.
		outcome.Verdict = c.unlessEjected(breaker.Failure)
	}
	if c.shadow.throttle != nil && first && outcome.Verdict != breaker.Neutral {
		c.shadow.throttle.Done(outcome.Verdict == breaker.Success)
	}
	if sh.admitted {
		c.report(c.shadow.breaker, sh.ticket, outcome, first)
	}
}

// answeredShadow counts a stream as a success at its first message, as answered does.
func (c *clientCall) answeredShadow() {
	sh := c.shadowed
	if sh == nil || sh.refused {
		return
	}
	if c.shadow.throttle != nil {
		c.shadow.throttle.Done(true)
	}
	if sh.admitted {
		c.shadow.breaker.Count(sh.ticket, breaker.Outcome{Verdict: breaker.Success})
	}
}

// endShadow counts a call that took longer than the deadline of a rule in shadow mode.
func (c *clientCall) endShadow(took time.Duration) {
	if sh := c.shadowed; sh != nil && sh.timeout > 0 && took > sh.timeout && !sh.refused {
		c.wouldRefuse(shadowTimeout)
	}
}
