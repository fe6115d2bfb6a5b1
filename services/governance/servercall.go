package governance

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// maxStatus bounds the status of a call, its message and its details, in bytes of the trailer. Clients of this package accept 16 KiB of metadata,
// but proxies and other clients often 8 KiB, in which the rest of the trailer must fit too.
const maxStatus = 6 << 10

// server governs the calls of one server. Each call passes the same steps: begin starts span and metrics; admit checks callers, deadline,
// rate, bulkhead and load; handle injects faults and runs the handler; end records the outcome.
type server struct {
	cfg    ServerConfig
	tracer *tracer
	pod    metadata.MD
	// shedders has the adaptive limits by group.
	shedders oncemap.Map[shedKey, *shedGroup]
	// statusBytes is the most that the status of a call may take.
	statusBytes int
	methods     oncemap.Map[string, *serverMethod]
	// wholes are the limits of all calls together, by the calls that they count.
	wholes oncemap.Map[policy.Share, *serverRates]
	// registered returns the kind of each method of the server; nil means that every method is registered.
	registered func() map[string]string
	// unknown has the methods that are not registered, by what applies to them.
	unknown oncemap.Map[string, *serverMethod]
}

func newServer(cfg ServerConfig) *server {
	return &server{cfg: cfg, tracer: newTracer(cfg.Tracing), pod: metadata.Pairs(PodHeader, cfg.Pod),
		statusBytes: min(maxStatus, int(tuningOf(cfg.Policy.Rules().Tuning()).metadata)/2)}
}

// serverCall is one call, from its arrival to its end.
type serverCall struct {
	*serverRuled
	server *server
	method *serverMethod
	// name is the name that the client called. It is for logs and errors only, because clients can invent names.
	name string
	ctx  context.Context
	// until is the caller's deadline; zero if it has none.
	until time.Time
	// cancel is nil unless this package set the deadline.
	cancel  context.CancelFunc
	span    trace.Span
	started time.Time
	stream  bool
	// counted means that the bulkhead counts the call.
	counted bool
	permit  limit.Permit
	// shadowed is nil if no rule in shadow mode matches.
	shadowed *serverShadowed
	// priority is that of the method, unless the caller has chosen another one.
	priority policyv1.Priority
}

func (s *server) begin(ctx context.Context, fullMethod, kind string) *serverCall {
	rules, name := s.cfg.Policy.Rules(), bareMethod(fullMethod)
	ctx = s.checkPartner(ctx)
	m := s.method(rules, fullMethod, kind)
	c := &serverCall{serverRuled: s.rule(rules, m, name).drawn(ctx, s.cfg.random), server: s, method: m, name: name, started: time.Now(), stream: kind != unaryKind}
	m.metrics.started.Inc()
	if c.shadow != nil {
		c.shadowed = &serverShadowed{}
	}
	c.ctx, c.span, c.priority = ctx, noSpan, c.rule.Priority
	if !c.rule.Exempt {
		c.ctx, c.span = s.tracer.server(ctx, m.span)
	}
	return c
}

func (c *serverCall) end(err error) {
	if c.counted {
		c.bulkhead.inFlight.Add(-1)
		c.method.inFlight.Add(-1)
		c.method.gauge.Dec()
	}
	code := rpccode.Of(err)
	c.release(code)
	took := time.Since(c.started)
	c.endShadow(code, took)
	c.method.metrics.finish(c.ctx, code, took)
	logCall(c.ctx, c.server.cfg.Log, "served", c.name, took, err)
	endSpan(c.span, code, err)
	if c.cancel != nil {
		c.cancel()
	}
}

// release gives the permit back. The duration of a cancelled call says nothing about the server's speed.
func (c *serverCall) release(code codes.Code) {
	if !c.permit.Held() {
		return
	}
	c.group.inFlight.Dec()
	if code == codes.Canceled {
		c.permit.Drop()
	} else {
		c.permit.Done(code != codes.OK)
	}
}

func (s *server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (reply any, err error) {
	c := s.begin(ctx, info.FullMethod, unaryKind)
	c.method.metrics.received.Inc()
	if err = c.admit(); err == nil {
		reply, err = c.handle(req, handle)
	}
	s.markPod(ctx, err)
	if err == nil {
		c.method.metrics.sent.Inc()
	}
	c.end(err)
	return reply, refusal.Shorten(err, s.statusBytes)
}

func (c *serverCall) handle(req any, handle grpc.UnaryHandler) (reply any, err error) {
	defer recovered(c.ctx, c.server.cfg.Log, c.server.cfg.Metrics, c.method.name, &err)
	cut, err := c.inject()
	if err != nil {
		return nil, err
	}
	reply, err = handle(c.ctx, req)
	if err == nil && cut != nil {
		return nil, fault.ErrCut()
	}
	return reply, err
}

func (s *server) streaming(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	c := s.begin(stream.Context(), info.FullMethod, callKind(info.IsClientStream, info.IsServerStream))
	marked := &podStream{ServerStream: stream, pod: s.pod, marked: s.cfg.Pod == ""}
	err := c.admit()
	if err == nil {
		err = c.handleStream(srv, marked, handle)
	}
	marked.end(err)
	c.end(err)
	return refusal.Shorten(err, s.statusBytes)
}

func (c *serverCall) handleStream(srv any, stream grpc.ServerStream, handle grpc.StreamHandler) (err error) {
	defer recovered(c.ctx, c.server.cfg.Log, c.server.cfg.Metrics, c.method.name, &err)
	var counted grpc.ServerStream = &countedServerStream{ServerStream: stream, ctx: c.ctx, metrics: c.method.metrics}
	cut, err := c.inject()
	if err != nil {
		return err
	}
	if cut != nil {
		counted = cut.ServerStream(counted)
	}
	return handle(srv, counted)
}

// countedServerStream counts messages and has the context of the call.
type countedServerStream struct {
	grpc.ServerStream
	ctx     context.Context
	metrics *callMetrics
}

// Context returns the context of the call.
func (s *countedServerStream) Context() context.Context { return s.ctx }

// SendMsg sends and counts a message.
func (s *countedServerStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.metrics.sent.Inc()
	}
	return err
}

// RecvMsg receives and counts a message.
func (s *countedServerStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.metrics.received.Inc()
	}
	return err
}
