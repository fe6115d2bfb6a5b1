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

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// client governs the calls of one connection.
type client struct {
	cfg     ClientConfig
	log     *slog.Logger
	tracer  *tracer
	methods lookup[string, *clientMethod]
	budget  *retryBudget
}

// clientMethod is all that is known about one method of the callee. It is made at the method's first call.
type clientMethod struct {
	edge
	metrics  *callMetrics
	breaker  *methodBreaker // nil: none
	fallback *Fallback      // nil: none
	span     spanOf
	first    prometheus.Counter
	retries  prometheus.Counter
	ruled    atomic.Pointer[clientRuled]
}

type clientRuled struct {
	policy *compiled
	rule   *clientRule
}

func newClient(cfg ClientConfig) *client {
	return &client{cfg: cfg, log: cfg.Log.With("callee", cfg.Callee), tracer: newTracer(cfg.Tracing), budget: newRetryBudget(cfg)}
}

func (c *client) method(fullMethod, kind string) *clientMethod {
	return c.methods.of(fullMethod, func(fullMethod string) *clientMethod {
		e := edge{c.cfg.Callee, bare(fullMethod)}
		m := &clientMethod{edge: e, metrics: c.cfg.Metrics.client.method(kind, e.method, e.callee),
			span:    newSpanOf(trace.SpanKindClient, e.method, attribute.String("callee", e.callee)),
			first:   c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "first"),
			retries: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "retry")}
		// An open breaker would keep back the very calls that ask whether the callee is well, or that make it well.
		if c.cfg.Breakers != nil && !c.cfg.Policy.load().isExempt(e.method) {
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

func (m *clientMethod) rule(p *Policy) *clientRule {
	policy := p.load()
	if r := m.ruled.Load(); r != nil && r.policy == policy {
		return r.rule
	}
	r := &clientRuled{policy, policy.client(m.callee, m.method)}
	m.ruled.Store(r)
	return r.rule
}

// clientCall is one call from its start to its end, whatever number of attempts that takes.
type clientCall struct {
	client   *client
	method   *clientMethod
	rule     *clientRule
	ctx      context.Context
	cancel   context.CancelFunc // nil when the deadline is the caller's own
	span     trace.Span
	started  time.Time
	ticket   ticket
	patience time.Duration // of the breaker; 0 for a stream, which may live long
	admitted bool          // by the breaker
	ended    atomic.Bool
	attempts atomic.Int32
}

type clientCallKey struct{}

// begin starts span, metrics and deadline. end must follow.
func (c *client) begin(ctx context.Context, fullMethod, kind string) *clientCall {
	m := c.method(fullMethod, kind)
	call := &clientCall{client: c, method: m, rule: m.rule(c.cfg.Policy), started: time.Now()}
	m.metrics.started.Inc()
	ctx, call.span = c.tracer.client(ctx, m.span)
	timeout := call.rule.streamTimeout
	if kind == unaryKind {
		if timeout = call.rule.timeout; timeout == 0 {
			timeout = c.cfg.Timeout
		}
		call.patience = timeout
	}
	if _, has := ctx.Deadline(); !has {
		ctx, call.cancel = context.WithTimeout(ctx, timeout)
	}
	call.ctx = context.WithValue(ctx, clientCallKey{}, call)
	return call
}

// admit asks the breaker.
func (c *clientCall) admit() (err error) {
	if c.method.breaker == nil {
		return nil
	}
	c.ticket, err = c.method.breaker.allow(c.rule.breaker)
	c.admitted = err == nil
	return refusal.Local(err)
}

// end may be called twice: a stream ends by whichever of its ends comes first.
func (c *clientCall) end(err error) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	code := codeOf(err)
	took := time.Since(c.started)
	if c.admitted {
		c.method.breaker.done(c.ticket, c.outcome(err, took))
	}
	c.method.metrics.finish(c.ctx, code, took)
	logCall(c.ctx, c.client.log, "called", c.method.method, took, err)
	endSpan(c.span, code, err)
	if c.cancel != nil {
		c.cancel()
	}
}

// outcome is what the breaker hears. A caller may have more time than the method's own, and still a callee that needs it is in trouble.
func (c *clientCall) outcome(err error, took time.Duration) error {
	if c.patience > 0 && took > c.patience {
		return errSlow
	}
	return err
}

var errSlow = status.Error(codes.DeadlineExceeded, "the callee took longer than the method's time-out")

// endPanicked gives back what a panic further in would keep.
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

// invoke sends the call, through the faults there are.
func (c *clientCall) invoke(req, reply any, cc *grpc.ClientConn, method string, invoke grpc.UnaryInvoker, opts []grpc.CallOption) error {
	cut, err := c.inject()
	if err != nil {
		return err
	}
	if err := invoke(c.ctx, method, req, reply, cc, opts...); err != nil {
		return err
	}
	if cut != nil {
		return errCut()
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
		if call.method.fallback != nil {
			return call.fallBackStream(ctx, err, opts)
		}
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
		return &cutClientStream{ClientStream: counted, call: c, left: cut.counter(), cancel: cancel}, nil
	}
	return counted, nil
}

// countedClientStream counts messages.
type countedClientStream struct {
	grpc.ClientStream
	metrics *callMetrics
}

func (s *countedClientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err == nil {
		s.metrics.sent.Inc()
	}
	return err
}

func (s *countedClientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.metrics.received.Inc()
	}
	return err
}
