package governance

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// clientCall is one call, with all of its attempts.
type clientCall struct {
	*clientRuled
	client *client
	method *clientMethod
	ctx    context.Context
	// cancel is nil if the caller set the deadline, or there is none.
	cancel  context.CancelFunc
	span    trace.Span
	started time.Time
	ticket  breaker.Ticket
	// slowAfter is the duration from which on the breaker counts a call as failed; 0 for a stream, which may live long.
	slowAfter time.Duration
	stream    bool
	// expired means that the deadline had passed before the call began; short, that it is far below the time-out of the method. Neither says
	// anything about the callee if the call runs out of time.
	expired, short bool
	// shadowed is nil if no rule in shadow mode matches.
	shadowed *clientShadowed
	// waits means that the call waits until a replica can be reached.
	waits bool
	// admitted means that the breaker let the call through.
	admitted bool
	// received means that a stream has received a message; counted, that the breaker has counted it.
	received, counted atomic.Bool
	ended             atomic.Bool

	attempts atomic.Int32
	first    attempt
	// latest is the attempt of a stream that was made last.
	latest atomic.Pointer[attempt]
	// lastEndpoint and lastTook are those of the attempt that ended last.
	lastEndpoint atomic.Pointer[outlier.Endpoint]
	lastTook     atomic.Int64
	mu           sync.Mutex
	// replicas are those of all attempts, if the method has retries; the first ones are in room.
	replicas []*outlier.Endpoint
	room     [2]*outlier.Endpoint
	// trailer is that of the latest attempt, if the method has retries.
	trailer metadata.MD
	// options has room for the options of each attempt.
	options [4]grpc.CallOption
}

type clientCallKey struct{}

// begin starts the span, the metrics and the deadline of a call. end must be called.
func (c *client) begin(ctx context.Context, fullMethod, kind string) *clientCall {
	rules := c.cfg.Policy.Rules()
	m := c.method(rules, fullMethod, kind)
	call := &clientCall{clientRuled: m.rule(c, rules, bareMethod(fullMethod)).drawn(c.cfg.random), client: c, method: m, started: time.Now(), stream: kind != unaryKind}
	m.metrics.started.Inc()
	ctx, call.span = c.tracer.client(ctx, m.span)
	ctx = call.limit(sendPriority(ctx))
	call.ctx = context.WithValue(ctx, clientCallKey{}, call)
	call.beginShadow()
	return call
}

// farBelow is the divisor of a method's time-out below which a deadline is so short that the callee cannot be blamed for missing it.
const farBelow = 4

// limit gives the call its deadline. That of the policy is a maximum, as in a service config of gRPC: the earlier one counts, also in a handler,
// whose context always has a deadline.
func (c *clientCall) limit(ctx context.Context) context.Context {
	timeout, most := c.rule.StreamTimeout, c.rule.StreamMax
	if !c.stream {
		timeout, most = c.rule.Timeout, c.rule.Timeout
		if timeout == 0 && !c.rule.NoTimeout {
			timeout = c.client.cfg.Timeout
		}
		c.slowAfter = timeout
	}
	if at, has := ctx.Deadline(); has {
		left := time.Until(at)
		c.expired, c.short = left <= 0, left < c.usual(timeout)/farBelow
		if most == 0 || left <= most {
			return ctx
		}
	}
	if timeout == 0 {
		return ctx
	}
	ctx, c.cancel = context.WithTimeout(ctx, timeout)
	return ctx
}

// usual returns the time-out of the method, or the default if it has none.
func (c *clientCall) usual(timeout time.Duration) time.Duration {
	switch {
	case timeout != 0:
		return timeout
	case c.stream:
		return policy.DefaultStreamTimeout
	}
	return c.client.cfg.Timeout
}

// outlived reports whether a stream that had received a message has used up its time: how long it lives then says nothing about the callee. The
// margin of the server, at most a tenth of the time, may have ended the stream earlier.
func (c *clientCall) outlived() bool {
	if !c.received.Load() {
		return false
	}
	at, has := c.ctx.Deadline()
	return has && time.Until(at) <= at.Sub(c.started)/10
}

// end records the outcome of a call. It does nothing when called again: a stream can end in several ways.
func (c *clientCall) end(err error) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	code := rpccode.Of(err)
	took := time.Since(c.started)
	if c.admitted {
		c.tellBreaker(err, took)
	} else {
		c.tellShadow(breaker.Outcome{}, true, 0)
	}
	c.endShadow(took)
	c.method.metrics.finish(c.ctx, code, took)
	logCall(c.ctx, c.client.log, "called", c.method.method, took, err)
	endSpan(c.span, code, err)
	if c.cancel != nil {
		c.cancel()
	}
}

// endPanicked ends the call if the code below it panicked.
func (c *clientCall) endPanicked() { c.end(errPanicked) }

const unaryKind = "unary"

func (c *client) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	call := c.begin(ctx, method, unaryKind)
	call.waits = waitsForReady(opts)
	defer call.endPanicked()
	err := call.admit()
	if err == nil {
		call.method.metrics.sent.Inc()
		if err = call.invoke(req, reply, cc, method, invoke, opts); err == nil {
			call.method.metrics.received.Inc()
		}
	}
	call.end(err)
	if err != nil && call.method.fallback != nil {
		return call.fallBack(ctx, req, reply, err, opts)
	}
	return err
}

// invoke sends the call, subject to injected faults.
func (c *clientCall) invoke(req, reply any, cc *grpc.ClientConn, method string, invoke grpc.UnaryInvoker, opts []grpc.CallOption) error {
	cut, err := c.inject()
	if err != nil {
		return err
	}
	if c.hedging == nil && c.rule.Retry == nil {
		if err = invoke(c.ctx, method, req, reply, cc, opts...); err == nil {
			c.client.budget.succeeded()
		}
	} else {
		err = c.attemptMore(reply, sender{invoke, cc, method, req, opts})
	}
	if err != nil {
		return err
	}
	if cut != nil {
		return fault.ErrCut()
	}
	return nil
}

// attemptMore makes more than one attempt if it is necessary.
func (c *clientCall) attemptMore(reply any, s sender) error {
	if c.hedging != nil {
		return c.hedge(c.hedging, s, reply)
	}
	return c.repeat(s, reply)
}
