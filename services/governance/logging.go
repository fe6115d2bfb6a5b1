package governance

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// NewLog returns a logger that writes JSON lines, with the trace_id of the context.
func NewLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(tracedHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

type tracedHandler struct{ slog.Handler }

// Handle adds the trace id to a record.
func (h tracedHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler with more attributes.
func (h tracedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup returns a handler with a group.
func (h tracedHandler) WithGroup(name string) slog.Handler {
	return tracedHandler{h.Handler.WithGroup(name)}
}

// logCall logs failures as errors and everything else at debug level. Refusals by the policy are not logged as errors, because events and
// metrics report them.
func logCall(ctx context.Context, log *slog.Logger, message, method string, took time.Duration, err error) {
	level, code := slog.LevelDebug, rpccode.Of(err)
	if rpccode.IsFailure(code) && refusal.Reason(err) == "" {
		level = slog.LevelError
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("method", method), slog.String("code", rpccode.Name(code)), slog.String("took", took.String())}
	if partner := Partner(ctx); partner != "" {
		attrs = append(attrs, slog.String("partner", partner))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(ctx, level, message, attrs...)
}
