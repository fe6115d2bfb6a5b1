package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/throttle"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// clientRuled is a rule with what it needs to be enforced.
type clientRuled struct {
	rules   *policy.Rules
	rule    *policy.ClientRule
	hedging hedging
	// streamRetry says when grpc-go repeats a stream; nil means never.
	streamRetry *policyv1.Retry
	// throttle is nil if the rule has none.
	throttle *throttle.Throttle
	// breaker is nil if the method has none.
	breaker *methodBreaker
	// shadow is nil if no rule in shadow mode matches.
	shadow *clientShadow
	// shares apply to shares of the calls, as those of the rule.
	shares []*clientRuled
}

// ruled returns what a rule needs to be enforced. name is the own name of the called method.
func (c *client) ruled(rules *policy.Rules, m *clientMethod, name string, rule *policy.ClientRule) *clientRuled {
	r := &clientRuled{rules: rules, rule: rule, hedging: newHedging(rule, c.budget), throttle: c.throttleOf(m, name, rule.ThrottleOf), breaker: m.breaker,
		shadow: c.shadow(m, name, rule)}
	if m.breaker != nil && rule.BreakerOf != (policy.Share{}) {
		// It has a name of its own, because it has a state of its own.
		r.breaker = m.breakers.Of(rule.BreakerOf, func(of policy.Share) *methodBreaker { return c.cfg.Breakers.ofGroup(m.breakerKey(of)) })
	}
	return r
}

// drawn returns the rule for a call. It draws a number if a rule applies to a share of the calls.
func (r *clientRuled) drawn(random func() float64) *clientRuled {
	if len(r.shares) == 0 {
		return r
	}
	number := 100 * random()
	for _, share := range r.shares {
		if number < share.rule.Percent {
			return share
		}
	}
	return r
}

// retired are the settings of a breaker that no rule names any more.
var retired = &policyv1.Breaker{Disabled: true}

// retireBreakers closes the breakers of shares and of rules in shadow mode that the rule no longer has, because no call would ever close them.
func (m *clientMethod) retireBreakers(r *clientRuled) {
	used := map[*methodBreaker]bool{}
	for _, one := range append([]*clientRuled{r}, r.shares...) {
		used[one.breaker] = true
		if one.shadow != nil {
			used[one.shadow.breaker] = true
		}
	}
	for _, all := range []map[policy.Share]*methodBreaker{m.breakers.All(), m.shadowBreakers.All()} {
		for _, b := range all {
			if !used[b] {
				b.follow(retired)
			}
		}
	}
}

// throttleOf returns the throttle of a share of the calls under the policy in force, which it reads under a lock, so that an older policy never replaces
// a newer one. What was counted is kept. name is the own name of the called method. It returns nil if the policy does not throttle these calls.
func (c *client) throttleOf(m *clientMethod, name string, of policy.Share) *throttle.Throttle {
	c.configuring.Lock()
	defer c.configuring.Unlock()
	p := m.ruleOf(c.cfg.Policy.Rules(), name).ThrottleFor(of)
	if p == nil {
		return nil
	}
	t, made := m.throttling[of]
	if made {
		t.Configure(throttle.ConfigOf(p))
		return t
	}
	origin := time.Now()
	t = throttle.New(throttle.ConfigOf(p), func() time.Duration { return time.Since(origin) }, c.cfg.random)
	if m.throttling == nil {
		m.throttling = map[policy.Share]*throttle.Throttle{}
	}
	m.throttling[of] = t
	return t
}
