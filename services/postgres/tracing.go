package postgres

import (
	"context"

	"github.com/exaring/otelpgx"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// newTracer traces queries, but only those within a trace. Background work, such as the pings of DB.Run, starts no trace of its own: one per
// second would bury all others.
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
