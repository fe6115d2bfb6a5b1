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
	if attempts := c.attempts.Load(); attempts > 1 || c.waits {
		if attempts == 0 && code == codes.DeadlineExceeded {
			// The caller has chosen to wait, and its call was not sent.
			return breaker.Neutral, code
		}
		// Earlier attempts and the waits before an attempt say nothing about the speed of the callee.
		took = time.Duration(c.lastTook.Load())
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
	if e := c.lastEndpoint.Load(); e != nil && e.Ejected() {
		return breaker.Neutral
	}
	return v
}

// tellBreaker reports the end of an admitted call.
func (c *clientCall) tellBreaker(err error, took time.Duration) {
	b := c.method.breaker
	v, code := c.verdict(err, took)
	var counted breaker.Counted
	switch {
	case !c.stream:
		counted = b.Done(c.ticket, v, code)
	case c.counted.CompareAndSwap(false, true):
		counted = b.Count(c.ticket, v, code)
		b.EndStream()
	default:
		// Its first message counted as a success.
		if v == breaker.Failure {
			counted = b.CountLate(v, code)
		}
		b.EndStream()
	}
	if e := c.lastEndpoint.Load(); e != nil && v == breaker.Failure {
		e.OnEject(func() { b.Forgive(counted) })
	}
}

// answered counts a stream as a success at its first message: a stream may live for hours, and the breaker should know earlier.
func (c *clientCall) answered() {
	if c.admitted && c.stream && !c.counted.Load() && c.counted.CompareAndSwap(false, true) {
		c.method.breaker.Count(c.ticket, breaker.Success, codes.OK)
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
