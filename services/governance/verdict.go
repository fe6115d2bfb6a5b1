package governance

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// verdict returns what a call, with all of its attempts, says about the callee.
func (c *clientCall) verdict(err error, took time.Duration) (breaker.Verdict, codes.Code) {
	code := rpccode.Of(err)
	if c.waits && c.attempts.Load() == 0 && code == codes.DeadlineExceeded {
		// The caller has chosen to wait, and its call was not sent.
		return breaker.Neutral, code
	}
	if late, _ := c.rule.Class(codes.DeadlineExceeded); c.slowAfter > 0 && took > c.slowAfter && late == policy.ClassFailure {
		// The callee took longer than the time-out of the method, even if its caller waited longer.
		return c.unlessEjected(breaker.Failure), codes.DeadlineExceeded
	}
	class, named := c.classify(c.ctx, err)
	if named {
		c.client.cfg.Metrics.classified.WithLabelValues(c.method.callee, c.method.method, rpccode.Name(code), class.String()).Inc()
	}
	switch class {
	case policy.ClassSuccess:
		return breaker.Success, code
	case policy.ClassIgnored:
		return breaker.Neutral, code
	default:
		return c.unlessEjected(breaker.Failure), code
	}
}

// unlessEjected makes the failure of a replica that gets no more calls neutral.
func (c *clientCall) unlessEjected(v breaker.Verdict) breaker.Verdict {
	if c.ejected() {
		return breaker.Neutral
	}
	return v
}

// ejected reports whether the replica of the last attempt gets no more calls.
func (c *clientCall) ejected() bool {
	e := c.lastEndpoint.Load()
	return e != nil && e.Ejected()
}

// lastAttemptTook returns how long the callee took, if the call took a time in all.
func (c *clientCall) lastAttemptTook(all time.Duration) time.Duration {
	if c.attempts.Load() > 1 || c.waits {
		// Earlier attempts and the waits before an attempt say nothing about the speed of the callee.
		return time.Duration(c.lastTook.Load())
	}
	return all
}

// tellBreaker reports the end of an admitted call, to the throttle as well.
func (c *clientCall) tellBreaker(err error, took time.Duration) {
	b, whole := c.breaker, took
	took = c.lastAttemptTook(took)
	v, code := c.verdict(err, took)
	if c.stream || c.ejected() {
		took = 0
	}
	outcome := breaker.Outcome{Verdict: v, Code: code, Took: took}
	first := !c.stream || c.counted.CompareAndSwap(false, true)
	if first {
		c.tellThrottle(v)
	}
	c.report(b, c.ticket, outcome, first)
	c.tellShadow(outcome, first, whole)
}

// report reports the end of an admitted call to a breaker. first means that the breaker has not counted it before.
func (c *clientCall) report(b *methodBreaker, t breaker.Ticket, outcome breaker.Outcome, first bool) {
	var counted breaker.Counted
	switch {
	case !c.stream:
		counted = b.Done(t, outcome)
	case first:
		counted = b.Count(t, outcome)
		b.EndStream()
	default:
		// Its first message counted as a success.
		if outcome.Verdict == breaker.Failure {
			counted = b.CountLate(outcome)
		}
		b.EndStream()
	}
	if counted.Slow && b.slow != nil {
		b.slow.Inc()
	}
	if e := c.lastEndpoint.Load(); e != nil && (counted.Failed || counted.Slow) {
		retractable := counted
		e.OnEject(func() { b.Retract(retractable) })
	}
}

// answered counts a stream as a success at its first message: a stream may live for hours, and replica and breaker should not wait for its end.
func (c *clientCall) answered() {
	if c.received.Load() || !c.received.CompareAndSwap(false, true) {
		return
	}
	c.latest.Load().answered()
	if c.admitted && c.counted.CompareAndSwap(false, true) {
		c.breaker.Count(c.ticket, breaker.Outcome{Verdict: breaker.Success})
		c.tellThrottle(breaker.Success)
		c.answeredShadow()
	}
}

// waitsForReady reports whether a call has the option grpc.WaitForReady.
func waitsForReady(opts []grpc.CallOption) (waits bool) {
	for _, o := range opts {
		if f, ok := o.(grpc.FailFastCallOption); ok {
			waits = !f.FailFast
		}
	}
	return waits
}
