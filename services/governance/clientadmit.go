package governance

import (
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// admit lets throttle and breaker decide.
func (c *clientCall) admit() (err error) {
	b := c.breaker
	if b == nil {
		return nil
	}
	c.admitShadow()
	// A breaker that is not closed limits the calls itself, and needs its probes.
	if c.throttle != nil && b.Closed() {
		if share, allowed := c.throttle.Allow(); !allowed {
			c.client.cfg.Metrics.throttled.WithLabelValues(c.method.callee, c.method.method).Inc()
			return refusal.Local(refusal.New(codes.ResourceExhausted, refusal.ReasonThrottled,
				fmt.Sprintf("too many recent calls failed, and %.0f%% are refused", 100*share)))
		}
	}
	if c.stream {
		c.ticket, err = b.allowStream(c.rule.Breaker)
	} else {
		c.ticket, err = b.allow(c.rule.Breaker)
	}
	c.admitted = err == nil
	return refusal.Local(err)
}

// tellThrottle counts the outcome of an admitted call.
func (c *clientCall) tellThrottle(v breaker.Verdict) {
	if c.throttle != nil && v != breaker.Neutral {
		c.throttle.Done(v == breaker.Success)
	}
}
