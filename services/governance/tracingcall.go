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

// client starts the span of an outgoing call, and adds its identity and the baggage of the context to the metadata.
func (t *tracer) client(ctx context.Context, s spanTemplate) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noSpan
	}
	ctx, span := t.start(ctx, s)
	var wire traceHeaders
	propagation.TraceContext{}.Inject(ctx, &wire)
	propagation.Baggage{}.Inject(ctx, &wire)
	return wire.outgoing(ctx), span
}

// server starts the span of an incoming call, as a child of the caller's, and adds the caller's baggage to the context.
func (t *tracer) server(ctx context.Context, s spanTemplate) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noSpan
	}
	wire := traceHeaders{baggage: metadata.ValueFromIncomingContext(ctx, "baggage")}
	if parent := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(parent) > 0 {
		// A caller that appended to metadata which it forwarded has put its own last.
		wire.parent = parent[len(parent)-1]
		wire.state = strings.Join(metadata.ValueFromIncomingContext(ctx, "tracestate"), ",")
		ctx = propagation.TraceContext{}.Extract(ctx, &wire)
	}
	if len(wire.baggage) > 0 {
		ctx = propagation.Baggage{}.Extract(ctx, &wire)
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

// traceHeaders are the headers of W3C Trace Context and W3C Baggage.
type traceHeaders struct {
	parent, state string
	baggage       []string
}

// outgoing returns a context with the headers that are set. They replace those that a handler has copied from its incoming metadata.
func (h *traceHeaders) outgoing(ctx context.Context) context.Context {
	set := make([]string, 0, 6)
	if h.parent != "" {
		set = append(set, "traceparent", h.parent)
	}
	if h.state != "" {
		set = append(set, "tracestate", h.state)
	}
	for _, b := range h.baggage {
		set = append(set, "baggage", b)
	}
	if len(set) == 0 {
		return ctx
	}
	if !h.replaces(ctx) {
		return metadata.AppendToOutgoingContext(ctx, set...)
	}
	// The keys of this copy are in lower case.
	md, _ := metadata.FromOutgoingContext(ctx)
	if h.parent != "" {
		// A trace state belongs to its parent.
		md.Delete("tracestate")
	}
	for i := 0; i < len(set); i += 2 {
		md.Set(set[i], set[i+1])
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// replaces reports whether the outgoing metadata has one of the headers.
func (h *traceHeaders) replaces(ctx context.Context) bool {
	for _, key := range h.Keys() {
		if len(metadata.ValueFromOutgoingContext(ctx, key)) > 0 {
			return true
		}
	}
	return false
}

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

// Values returns all values of a header, of which only baggage may have several.
func (h *traceHeaders) Values(string) []string { return h.baggage }

// Set sets a header.
func (h *traceHeaders) Set(key, value string) {
	switch key {
	case "traceparent":
		h.parent = value
	case "tracestate":
		h.state = value
	case "baggage":
		h.baggage = []string{value}
	}
}

var traceKeys = []string{"traceparent", "tracestate", "baggage"}

// Keys returns the names of the headers.
func (h *traceHeaders) Keys() []string { return traceKeys }
