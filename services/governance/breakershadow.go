package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
)

// shadow returns a breaker of rules in shadow mode. Its series and events are apart from those of breakers that are enforced, so that a
// breaker that refuses no call is not mistaken for an open one.
func (b *Breakers) shadow(key breakerKey) *methodBreaker {
	return b.shadows.Of(key, func(e breakerKey) *methodBreaker {
		if b.metrics != nil {
			b.setShadow(e, BreakerState{State: StateClosed, Since: time.Now()})
		}
		return &methodBreaker{base: b.cfg, Breaker: breaker.New(b.cfg, b.since, func(t breaker.Transition) { b.recordShadow(e, t) })}
	})
}

func (b *Breakers) setShadow(e breakerKey, s BreakerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shadowStates[e] = s
	b.show(b.metrics.shadowBreakers, e, s)
}

// recordShadow reports a transition of a breaker in shadow mode.
func (b *Breakers) recordShadow(e breakerKey, t breaker.Transition) {
	if b.metrics != nil {
		b.setShadow(e, BreakerState{State: t.To, Since: t.At})
		b.metrics.shadowBreakerTransitions.WithLabelValues(e.callee, e.method, t.From, t.To, t.Class).Inc()
	}
	if b.Log != nil {
		b.Log.Info("breaker in shadow mode", "callee", e.callee, "method", e.method, "from", t.From, "to", t.To, "reason", t.Reason)
	}
	if b.events != nil {
		b.events.Add(Event{Time: t.At, Kind: KindShadow, Subject: e.callee + "/" + e.method, Detail: "the breaker would be " + t.To + ": " + t.Reason,
			Labels: map[string]string{"side": "client", "caller": b.caller, "callee": e.callee, "method": e.method,
				"from": t.From, "to": t.To, "reason": t.Reason}})
	}
}
