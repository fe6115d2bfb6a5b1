package governance

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// admit decides whether to serve a call before any work is done for it, with the cheapest checks first. end gives back what it takes.
func (c *serverCall) admit() error {
	c.shadowCallers()
	if c.rule.LimitsCallers() {
		if err := c.allowed(); err != nil {
			return c.refused(err)
		}
	}
	if c.rule.Exempt {
		return nil
	}
	c.shadowDeadline()
	if err := c.deadline(); err != nil {
		return c.refused(err)
	}
	c.choosePriority()
	c.shadowRate()
	if err := c.limitRate(); err != nil {
		return c.refused(err)
	}
	c.shadowBulkhead()
	if err := c.enterBulkhead(); err != nil {
		return c.refused(err)
	}
	c.shadowShed()
	if c.shed != nil {
		if err := c.shedOrServe(); err != nil {
			return c.refused(err)
		}
	}
	if c.shadowed != nil {
		c.shadowed.served = true
	}
	return nil
}

func (c *serverCall) refused(err error) error {
	if reason := refusal.Reason(err); reason != "" {
		c.server.cfg.Metrics.refused.WithLabelValues(c.method.name, reason).Inc()
	}
	return err
}

// allowed checks the caller's identity against the list, unless that was done when the headers arrived.
func (c *serverCall) allowed() error {
	if _, checked := c.ctx.Value(callerKey{}).(string); checked {
		return nil
	}
	caller := Caller(c.ctx)
	if c.rule.Allows(caller) {
		return nil
	}
	return c.notAllowed(caller)
}

func (c *serverCall) notAllowed(caller string) error {
	self := c.server.cfg.Identity.Name()
	c.method.refusals.warnContext(c.ctx, "refused a caller", "method", c.name, "caller", caller, "server", self)
	return refusal.New(codes.PermissionDenied, refusal.ReasonCallerNotAllowed, fmt.Sprintf("%q may not call %s of %q", caller, c.name, self))
}

// deadline refuses a call whose caller has stopped waiting. It makes sure that the handler has a deadline which leaves time to answer.
func (c *serverCall) deadline() error {
	if c.ctx.Err() == context.Canceled {
		// The caller has cancelled. A later check returns the error.
		return nil
	}
	at, has := c.ctx.Deadline()
	if !has {
		if c.rule.DeadlineRequired {
			return refusal.New(codes.InvalidArgument, refusal.ReasonDeadlineRequired, "the call has no deadline", refusal.Violation("grpc-timeout", "must be set"))
		}
		timeout := c.rule.Timeout
		if c.stream {
			timeout = c.rule.StreamTimeout
		}
		if timeout == 0 {
			return nil
		}
		c.ctx, c.cancel = context.WithTimeout(c.ctx, timeout)
		return nil
	}
	c.until = at
	left := time.Until(at)
	if left <= 0 {
		c.server.cfg.Metrics.deadlineRefused.WithLabelValues(c.method.name).Inc()
		return refusal.New(codes.DeadlineExceeded, refusal.ReasonDeadlinePassed, "the deadline passed before work began")
	}
	if margin := min(c.rule.Margin, left/10); margin > 0 {
		c.ctx, c.cancel = context.WithDeadline(c.ctx, at.Add(-margin))
	}
	return nil
}

// enterBulkhead counts the call, and refuses it if too many are being served.
func (c *serverCall) enterBulkhead() error {
	most := c.rule.MaxConcurrent
	if now := c.bulkhead.inFlight.Add(1); most > 0 && now > most {
		c.bulkhead.inFlight.Add(-1)
		return refusal.New(codes.ResourceExhausted, refusal.ReasonBulkheadFull, fmt.Sprintf("%d calls of %s are being served", most, c.method.name),
			refusal.Quota(c.method.name+" at once", most))
	}
	c.counted = true
	c.method.inFlight.Add(1)
	c.method.gauge.Inc()
	return nil
}

// shedOrServe checks the adaptive limit. A stream is only admitted by it, and gives its permit back: how long a stream lives says nothing
// about load.
func (c *serverCall) shedOrServe() error {
	permit, ok := c.shed.Admit(c.priority)
	if !ok {
		c.server.cfg.Metrics.shedRefused.WithLabelValues(c.method.name, priorityName(c.priority)).Inc()
		return refusal.New(codes.ResourceExhausted, refusal.ReasonOverloaded, "the server is at its limit", refusal.After(shedRetry))
	}
	switch {
	case !permit.Held():
	case c.stream:
		permit.Drop()
	default:
		c.permit = permit
		c.group.inFlight.Inc()
	}
	return nil
}

// shedRetry is how long a caller whose call was shed should wait: about as long as the limit needs to change.
const shedRetry = 200 * time.Millisecond
