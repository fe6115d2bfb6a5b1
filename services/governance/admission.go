package governance

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// admit decides about a call before any work is done for it, the cheapest question first. What it takes, end gives back.
func (c *serverCall) admit() error {
	if c.rule.callers != nil {
		if err := c.allowed(); err != nil {
			return c.refused(err)
		}
	}
	if c.rule.exempt {
		return nil
	}
	if err := c.deadline(); err != nil {
		return c.refused(err)
	}
	if len(c.limits) > 0 {
		if err := c.takeTurn(); err != nil {
			return c.refused(err)
		}
	}
	if err := c.enter(); err != nil {
		return c.refused(err)
	}
	if c.shed != nil {
		if err := c.shedOrServe(); err != nil {
			return c.refused(err)
		}
	}
	return nil
}

func (c *serverCall) refused(err error) error {
	if reason := refusal.Reason(err); reason != "" {
		c.server.cfg.Metrics.refused.WithLabelValues(c.method.name, reason).Inc()
	}
	return err
}

// allowed holds the caller's identity against the list.
func (c *serverCall) allowed() error {
	caller := Caller(c.ctx)
	if caller != "" && matchesAny(c.rule.callers, caller) { // who shows no identity is on no list
		return nil
	}
	self := c.server.cfg.Identity.Name()
	c.server.cfg.Log.WarnContext(c.ctx, "refused a caller", "method", c.method.name, "caller", caller, "server", self)
	return refusal.New(codes.PermissionDenied, ReasonCallerNotAllowed, fmt.Sprintf("%q may not call %s of %q", caller, c.method.name, self))
}

// deadline refuses work nobody waits for any more, and sees that what is called in turn has a deadline that leaves time to answer.
func (c *serverCall) deadline() error {
	if c.ctx.Err() == context.Canceled {
		return nil // the caller is gone; what follows sees it
	}
	at, has := c.ctx.Deadline()
	if !has {
		if c.rule.deadlineRequired {
			return refusal.New(codes.InvalidArgument, ReasonDeadlineRequired, "the call has no deadline", refusal.Violation("grpc-timeout", "must be set"))
		}
		timeout := c.rule.timeout
		if c.stream {
			timeout = c.rule.streamTimeout
		}
		c.ctx, c.cancel = context.WithTimeout(c.ctx, timeout)
		return nil
	}
	left := time.Until(at)
	if left <= 0 {
		c.server.cfg.Metrics.deadlineRefused.WithLabelValues(c.method.name).Inc()
		return refusal.New(codes.DeadlineExceeded, ReasonDeadlinePassed, "the deadline passed before work began")
	}
	if margin := min(c.rule.margin, left/10); margin > 0 {
		c.ctx, c.cancel = context.WithDeadline(c.ctx, at.Add(-margin))
	}
	return nil
}

// takeTurn asks the rate limits, and waits where they say so.
func (c *serverCall) takeTurn() error {
	turn, refusedFor := takeAll(time.Now(), c.limits, c.callerIfNeeded())
	if refusedFor > 0 {
		// Clients of gRPC that retry wait this long by themselves.
		pushback := strconv.FormatInt(int64(math.Ceil(float64(refusedFor)/float64(time.Millisecond))), 10)
		_ = grpc.SetTrailer(c.ctx, metadata.Pairs("grpc-retry-pushback-ms", pushback))
		return refusal.New(codes.ResourceExhausted, ReasonRateLimited, "too many calls of "+c.method.name, refusal.After(refusedFor),
			refusal.Quota(c.method.name, int64(c.rateInForce())))
	}
	if turn > 0 {
		c.server.cfg.Metrics.queued.WithLabelValues(c.method.name).Add(turn.Seconds())
		return wait(c.ctx, turn)
	}
	return nil
}

func (c *serverCall) callerIfNeeded() string {
	for _, l := range c.limits {
		if l.perCaller {
			return Caller(c.ctx)
		}
	}
	return ""
}

// rateInForce is the lowest rate among the limits, in calls per second.
func (c *serverCall) rateInForce() float64 {
	lowest := math.Inf(1)
	for _, l := range c.rule.limits {
		lowest = min(lowest, paceOf(l).rate)
	}
	return lowest
}

// enter takes a place in the bulkhead.
func (c *serverCall) enter() error {
	most := c.rule.maxConcurrent
	if now := c.method.inFlight.Add(1); most > 0 && now > most {
		c.method.inFlight.Add(-1)
		return refusal.New(codes.ResourceExhausted, ReasonBulkheadFull, fmt.Sprintf("%d calls of %s are being served", most, c.method.name),
			refusal.Quota(c.method.name+" at once", most))
	}
	c.counted = true
	c.method.gauge.Inc()
	return nil
}

// shedOrServe asks the adaptive limit. A stream is let in or not, and then holds no place: how long it lives says nothing.
func (c *serverCall) shedOrServe() error {
	permit, ok := c.shed.admit(c.rule.priority)
	if !ok {
		c.server.cfg.Metrics.shedRefused.WithLabelValues(c.method.name, priorityName(c.rule.priority)).Inc()
		return refusal.New(codes.ResourceExhausted, ReasonOverloaded, "the server is at its limit", refusal.After(shedRetry))
	}
	if permit != nil && c.stream {
		permit.Drop()
		return nil
	}
	if c.permit = permit; permit != nil {
		c.server.cfg.Metrics.shedCalls.Inc()
	}
	return nil
}

// shedRetry is how long a shed caller should stay away: about as long as the limit needs to move.
const shedRetry = 200 * time.Millisecond

func priorityName(p policyv1.Priority) string {
	switch p {
	case policyv1.Priority_PRIORITY_LOW:
		return "low"
	case policyv1.Priority_PRIORITY_HIGH:
		return "high"
	case policyv1.Priority_PRIORITY_CRITICAL:
		return "critical"
	default:
		return "normal"
	}
}
