package governance

import (
	"cmp"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// serverShadow is what rules in shadow mode need to be evaluated. Their limits have a state of their own, apart from those that are enforced.
type serverShadow struct {
	rule     *policy.ServerShadow
	rates    *limit.Rates
	limits   []*limit.Rate
	bulkhead *serverShare
	// whole has the limits of all methods together; nil if there are none.
	whole *serverRates
	// shed is the adaptive limit; nil if there is none.
	shed *limit.Shedding
}

func (s *server) shadow(m *serverMethod, rule *policy.ServerRule) *serverShadow {
	p := rule.Shadow
	if p == nil {
		return nil
	}
	rates := &m.share(p.LimitsOf).rates
	sh := &serverShadow{rule: p, rates: rates, limits: rates.Follow(p.Limits), bulkhead: m.share(p.MaxConcurrentOf)}
	if p.RateOf != (policy.Share{}) {
		sh.whole = s.whole(p.RateOf)
	}
	if p.ShedOf != (policy.Share{}) {
		_, sh.shed = s.shedding(p.ShedOf, cmp.Or(rule.ShedGroup, m.name))
	}
	return sh
}

// serverShadowed is the evaluation of rules in shadow mode for one call. Each part is evaluated just before the enforced one, for the calls that
// all enforced parts before it have admitted. What would have been refused takes nothing from later limits, and is counted once.
type serverShadowed struct {
	refused bool
	// counted means that the bulkhead counts the call.
	counted bool
	permit  limit.Permit
	// timeout would be the deadline of the call; 0 if it has one.
	timeout time.Duration
	// served means that the enforced rules have admitted the call.
	served bool
}

// shadowing reports whether rules in shadow mode are evaluated, and have not refused the call.
func (c *serverCall) shadowing() bool { return c.shadowed != nil && !c.shadowed.refused }

func (c *serverCall) wouldRefuse(reason string) {
	c.shadowed.refused = true
	c.method.shadows.refused(c.ctx, reason)
}

func (c *serverCall) shadowCallers() {
	if c.shadowing() && !c.shadow.rule.Allows(Caller(c.ctx)) {
		c.wouldRefuse(refusal.ReasonCallerNotAllowed)
	}
}

// shadowDeadline is evaluated before the call gets its deadline.
func (c *serverCall) shadowDeadline() {
	if !c.shadowing() {
		return
	}
	if _, has := c.ctx.Deadline(); has {
		return
	}
	if c.shadow.rule.DeadlineRequired {
		c.wouldRefuse(refusal.ReasonDeadlineRequired)
		return
	}
	timeout, enforced := c.shadow.rule.Timeout, c.rule.Timeout
	if c.stream {
		timeout, enforced = c.shadow.rule.StreamTimeout, c.rule.StreamTimeout
	}
	if enforced == 0 || timeout < enforced {
		c.shadowed.timeout = timeout
	}
}

func (c *serverCall) shadowRate() {
	if !c.shadowing() {
		return
	}
	sh := c.shadow
	admitted := len(sh.limits) == 0 || sh.rates.Spend(sh.limits, c.callerIfNeeded(sh.limits), untilDeadline(c.ctx))
	if admitted && sh.whole != nil {
		all := sh.whole.under(c.rules, c.server.cfg.Policy.Rules)
		admitted = len(all.limits) == 0 || sh.whole.Spend(all.limits, c.callerIfNeeded(all.limits), untilDeadline(c.ctx))
	}
	if !admitted {
		c.wouldRefuse(refusal.ReasonRateLimited)
	}
}

func (c *serverCall) shadowBulkhead() {
	if !c.shadowing() {
		return
	}
	most := c.shadow.rule.MaxConcurrent
	if now := c.shadow.bulkhead.inFlight.Add(1); most > 0 && now > most {
		c.shadow.bulkhead.inFlight.Add(-1)
		c.wouldRefuse(refusal.ReasonBulkheadFull)
		return
	}
	c.shadowed.counted = true
}

func (c *serverCall) shadowShed() {
	if !c.shadowing() {
		return
	}
	permit, ok := c.shadow.shed.Admit(c.priority)
	switch {
	case !ok:
		c.wouldRefuse(refusal.ReasonOverloaded)
	case !permit.Held():
	case c.stream:
		permit.Drop()
	default:
		c.shadowed.permit = permit
	}
}

// endShadow gives back what the call holds of limits in shadow mode, as release does.
func (c *serverCall) endShadow(code codes.Code, took time.Duration) {
	sh := c.shadowed
	if sh == nil {
		return
	}
	if sh.counted {
		c.shadow.bulkhead.inFlight.Add(-1)
	}
	switch {
	case !sh.permit.Held():
	case code == codes.Canceled || !sh.served:
		sh.permit.Drop()
	default:
		sh.permit.Done(code != codes.OK)
	}
	if sh.timeout > 0 && took > sh.timeout && !sh.refused {
		c.wouldRefuse(shadowTimeout)
	}
}
