package governance

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

const scope = "github.com/grpc-sandbox/sandbox/services/governance"

// tracer makes one span per call and side. It is nil without tracing. DECISIONS.md explains why it is not otelgrpc.
type tracer struct{ trace.Tracer }

func newTracer(provider trace.TracerProvider) *tracer {
	if provider == nil {
		return nil
	}
	return &tracer{provider.Tracer(scope)}
}

// spanTemplate is what all spans of a method have in common.
type spanTemplate struct {
	method     string
	kind       []trace.SpanStartOption
	attributes []attribute.KeyValue
}

func newSpanTemplate(kind trace.SpanKind, method string, more ...attribute.KeyValue) spanTemplate {
	service, name, _ := strings.Cut(method, "/")
	return spanTemplate{method, []trace.SpanStartOption{trace.WithSpanKind(kind)}, append([]attribute.KeyValue{
		attribute.String("rpc.system", "grpc"), attribute.String("rpc.service", service), attribute.String("rpc.method", name)}, more...)}
}

// start sets the attributes only if they are recorded. As options of Start they would be copied for every call.
func (t *tracer) start(ctx context.Context, s spanTemplate) (context.Context, trace.Span) {
	ctx, span := t.Start(ctx, s.method, s.kind...)
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
	}
	return ctx, span
}

// client starts the span of an outgoing call and adds its identity to the metadata.
func (t *tracer) client(ctx context.Context, s spanTemplate) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noSpan
	}
	ctx, span := t.start(ctx, s)
	var wire traceHeaders
	propagation.TraceContext{}.Inject(ctx, &wire)
	if wire.parent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", wire.parent)
	}
	if wire.state != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "tracestate", wire.state)
	}
	return ctx, span
}

// server starts the span of an incoming call, as a child of the caller's.
func (t *tracer) server(ctx context.Context, s spanTemplate) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noSpan
	}
	if parent := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(parent) > 0 {
		wire := traceHeaders{parent: parent[0]}
		if state := metadata.ValueFromIncomingContext(ctx, "tracestate"); len(state) > 0 {
			wire.state = state[0]
		}
		ctx = propagation.TraceContext{}.Extract(ctx, &wire)
	}
	return t.start(ctx, s)
}

var noSpan = trace.SpanFromContext(context.Background())

func endSpan(span trace.Span, code codes.Code, err error) {
	if !span.IsRecording() {
		span.End()
		return
	}
	span.SetAttributes(attribute.Int("rpc.grpc.status_code", int(code)))
	if err != nil {
		span.SetStatus(otelcodes.Error, rpccode.Name(code))
		if reason := refusal.Reason(err); reason != "" {
			span.AddEvent("refused", trace.WithAttributes(attribute.String("reason", reason), attribute.String("message", err.Error())))
		}
	}
	span.End()
}

// traceHeaders are the two headers of W3C Trace Context.
type traceHeaders struct{ parent, state string }

// Get returns a header.
func (h *traceHeaders) Get(key string) string {
	switch key {
	case "traceparent":
		return h.parent
	case "tracestate":
		return h.state
	}
	return ""
}

// Set sets a header.
func (h *traceHeaders) Set(key, value string) {
	switch key {
	case "traceparent":
		h.parent = value
	case "tracestate":
		h.state = value
	}
}

// Keys returns the names of the headers.
func (h *traceHeaders) Keys() []string { return []string{"traceparent", "tracestate"} }
