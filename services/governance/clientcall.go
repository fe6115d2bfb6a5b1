package governance

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// client governs the calls of one connection. Each call passes the same steps: begin starts span, metrics and deadline; admit lets the
// breaker decide; invoke or open injects faults and sends the call; end records the outcome; and a failed call may be answered by a fallback.
type client struct {
	cfg     ClientConfig
	log     *slog.Logger
	tracer  *tracer
	methods oncemap.Map[string, *clientMethod]
	budget  *retryBudget
}

// clientMethod is the state of one method of the callee. It is made with the first call.
type clientMethod struct {
	edge
	metrics *callMetrics
	// breaker and fallback may be nil.
	breaker  *methodBreaker
	fallback *Fallback
	span     spanTemplate
	first    prometheus.Counter
	retries  prometheus.Counter
	ruled    atomic.Pointer[clientRuled]
}

type clientRuled struct {
	rules *policy.Rules
	rule  *policy.ClientRule
}

func newClient(cfg ClientConfig) *client {
	return &client{cfg: cfg, log: cfg.Log.With("callee", cfg.Callee), tracer: newTracer(cfg.Tracing), budget: newRetryBudget(cfg)}
}

func (c *client) method(fullMethod, kind string) *clientMethod {
	return c.methods.Of(fullMethod, func(fullMethod string) *clientMethod {
		e := edge{c.cfg.Callee, bareMethod(fullMethod)}
		m := &clientMethod{edge: e, metrics: c.cfg.Metrics.client.method(kind, e.method, e.callee),
			span:    newSpanTemplate(trace.SpanKindClient, e.method, attribute.String("callee", e.callee)),
			first:   c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "first"),
			retries: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "retry")}
		// An open breaker would block the calls that check whether the callee is healthy, or that repair it.
		if c.cfg.Breakers != nil && !c.cfg.Policy.Rules().Exempt(e.method) {
			m.breaker = c.cfg.Breakers.of(e)
		}
		for i, f := range c.cfg.Fallbacks {
			if f.method == e.method {
				m.fallback = &c.cfg.Fallbacks[i]
			}
		}
		return m
	})
}

func (m *clientMethod) rule(p *policy.Policy) *policy.ClientRule {
	rules := p.Rules()
	if r := m.ruled.Load(); r != nil && r.rules == rules {
		return r.rule
	}
	r := &clientRuled{rules, rules.Client(m.callee, m.method)}
	m.ruled.Store(r)
	return r.rule
}

// clientCall is one call, with all of its attempts.
type clientCall struct {
	client *client
	method *clientMethod
	rule   *policy.ClientRule
	ctx    context.Context
	// cancel is nil if the caller set the deadline, or there is none.
	cancel  context.CancelFunc
	span    trace.Span
	started time.Time
	ticket  breaker.Ticket
	// slowAfter is the duration from which on the breaker counts a call as failed; 0 for a stream, which may live long.
	slowAfter time.Duration
	// admitted means that the breaker let the call through.
	admitted bool
	ended    atomic.Bool
	attempts atomic.Int32
}

type clientCallKey struct{}

// begin starts the span, the metrics and the deadline of a call. end must be called.
func (c *client) begin(ctx context.Context, fullMethod, kind string) *clientCall {
	m := c.method(fullMethod, kind)
	call := &clientCall{client: c, method: m, rule: m.rule(c.cfg.Policy), started: time.Now()}
	m.metrics.started.Inc()
	ctx, call.span = c.tracer.client(ctx, m.span)
	timeout := call.rule.StreamTimeout
	if kind == unaryKind {
		if timeout = call.rule.Timeout; timeout == 0 && !call.rule.NoTimeout {
			timeout = c.cfg.Timeout
		}
		call.slowAfter = timeout
	}
	if _, has := ctx.Deadline(); !has && timeout > 0 {
		ctx, call.cancel = context.WithTimeout(ctx, timeout)
	}
	call.ctx = context.WithValue(ctx, clientCallKey{}, call)
	return call
}

// admit lets the breaker decide.
func (c *clientCall) admit() (err error) {
	if c.method.breaker == nil {
		return nil
	}
	c.ticket, err = c.method.breaker.allow(c.rule.Breaker)
	c.admitted = err == nil
	return refusal.Local(err)
}

// end records the outcome of a call. It does nothing when called again: a stream can end in several ways.
func (c *clientCall) end(err error) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	code := rpccode.Of(err)
	took := time.Since(c.started)
	if c.admitted {
		c.method.breaker.Done(c.ticket, c.outcome(err, took))
	}
	c.method.metrics.finish(c.ctx, code, took)
	logCall(c.ctx, c.client.log, "called", c.method.method, took, err)
	endSpan(c.span, code, err)
	if c.cancel != nil {
		c.cancel()
	}
}

// outcome returns the error that the breaker counts. A call that takes longer than the method's time-out is a failure of the callee, even if
// its caller waits longer.
func (c *clientCall) outcome(err error, took time.Duration) error {
	if c.slowAfter > 0 && took > c.slowAfter {
		return errSlow
	}
	return err
}

var errSlow = status.Error(codes.DeadlineExceeded, "the callee took longer than the method's time-out")

// endPanicked ends the call if the code below it panicked.
func (c *clientCall) endPanicked() { c.end(errPanicked) }

const unaryKind = "unary"

func (c *client) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	call := c.begin(ctx, method, unaryKind)
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
	if err := invoke(c.ctx, method, req, reply, cc, opts...); err != nil {
		return err
	}
	if cut != nil {
		return fault.ErrCut()
	}
	return nil
}

func (c *client) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	call := c.begin(ctx, method, callKind(desc.ClientStreams, desc.ServerStreams))
	opened := false
	defer func() {
		if !opened {
			call.endPanicked()
		}
	}()
	stream, err := call.open(desc, cc, method, open, opts)
	opened = true
	if err != nil {
		call.end(err)
		return nil, err
	}
	return stream, nil
}

func (c *clientCall) open(desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts []grpc.CallOption) (grpc.ClientStream, error) {
	if err := c.admit(); err != nil {
		return nil, err
	}
	cut, err := c.inject()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.ctx, context.CancelFunc(nil)
	if cut != nil {
		ctx, cancel = context.WithCancel(ctx)
		opts = append(opts, grpc.OnFinish(func(error) { cancel() }))
	}
	stream, err := open(ctx, desc, cc, method, append(opts, grpc.OnFinish(c.end))...)
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return nil, err
	}
	counted := &countedClientStream{ClientStream: stream, metrics: c.method.metrics}
	if cut != nil {
		// The breaker must see the same error as the caller.
		return cut.ClientStream(counted, func(err error) {
			c.end(err)
			cancel()
		}), nil
	}
	return counted, nil
}

// countedClientStream counts messages.
type countedClientStream struct {
	grpc.ClientStream
	metrics *callMetrics
}

// SendMsg sends and counts a message.
func (s *countedClientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err == nil {
		s.metrics.sent.Inc()
	}
	return err
}

// RecvMsg receives and counts a message.
func (s *countedClientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.metrics.received.Inc()
	}
	return err
}
