package postgres

import (
	"context"

	"github.com/exaring/otelpgx"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// newTracer makes a span of each query inside a trace. What a service does by itself, such as asking whether the database is there, begins
// none: a trace a second would bury all others.
func newTracer(provider trace.TracerProvider) *otelpgx.Tracer {
	return otelpgx.NewTracer(otelpgx.WithTracerProvider(insideOnly{provider: provider}))
}

type insideOnly struct {
	embedded.TracerProvider
	provider trace.TracerProvider
}

func (p insideOnly) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return insideTracer{tracer: p.provider.Tracer(name, options...)}
}

type insideTracer struct {
	embedded.Tracer
	tracer trace.Tracer
}

func (t insideTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, noop.Span{}
	}
	return t.tracer.Start(ctx, name, options...)
}
