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

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

const scope = "github.com/grpc-sandbox/sandbox/services/governance"

// tracer makes the one span that a call has on each side. It is nil when nobody traces. DECISIONS.md says why it is not otelgrpc.
type tracer struct{ trace.Tracer }

func newTracer(provider trace.TracerProvider) *tracer {
	if provider == nil {
		return nil
	}
	return &tracer{provider.Tracer(scope)}
}

// spanOf is what all spans of a method have in common.
type spanOf struct {
	method     string
	kind       []trace.SpanStartOption
	attributes []attribute.KeyValue
}

func newSpanOf(kind trace.SpanKind, method string, more ...attribute.KeyValue) spanOf {
	service, name, _ := strings.Cut(method, "/")
	return spanOf{method, []trace.SpanStartOption{trace.WithSpanKind(kind)}, append([]attribute.KeyValue{
		attribute.String("rpc.system", "grpc"), attribute.String("rpc.service", service), attribute.String("rpc.method", name)}, more...)}
}

// start sets attributes only where they are kept: at the start, they would be copied for every call.
func (t *tracer) start(ctx context.Context, s spanOf) (context.Context, trace.Span) {
	ctx, span := t.Start(ctx, s.method, s.kind...)
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
	}
	return ctx, span
}

// client starts the span of a call made and sends its identity along.
func (t *tracer) client(ctx context.Context, s spanOf) (context.Context, trace.Span) {
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

// server starts the span of a call received, below the caller's.
func (t *tracer) server(ctx context.Context, s spanOf) (context.Context, trace.Span) {
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
		span.SetStatus(otelcodes.Error, codeName(code))
		if reason := refusal.Reason(err); reason != "" {
			span.AddEvent("refused", trace.WithAttributes(attribute.String("reason", reason), attribute.String("message", err.Error())))
		}
	}
	span.End()
}

// traceHeaders are the two headers of W3C Trace Context.
type traceHeaders struct{ parent, state string }

func (h *traceHeaders) Get(key string) string {
	switch key {
	case "traceparent":
		return h.parent
	case "tracestate":
		return h.state
	}
	return ""
}

func (h *traceHeaders) Set(key, value string) {
	switch key {
	case "traceparent":
		h.parent = value
	case "tracestate":
		h.state = value
	}
}

func (h *traceHeaders) Keys() []string { return []string{"traceparent", "tracestate"} }
