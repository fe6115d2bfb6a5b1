package governance

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// NewLog writes JSON lines that carry the trace_id of their context.
func NewLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(tracedHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

type tracedHandler struct{ slog.Handler }

func (h tracedHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedHandler{h.Handler.WithAttrs(attrs)}
}
func (h tracedHandler) WithGroup(name string) slog.Handler {
	return tracedHandler{h.Handler.WithGroup(name)}
}

// logCall writes failures as errors and all else at debug. A refusal by our own breaker is no news after the first: its event told.
func logCall(ctx context.Context, log *slog.Logger, message, method string, started time.Time, err error) {
	level := slog.LevelDebug
	if IsFailure(codeOf(err)) && RefusalReason(err) == "" {
		level = slog.LevelError
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("method", method), slog.String("code", codeName(codeOf(err))), slog.String("took", time.Since(started).String())}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(ctx, level, message, attrs...)
}

func logServerUnary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		started := time.Now()
		reply, err := handle(ctx, req)
		logCall(ctx, log, "served", info.FullMethod, started, err)
		return reply, err
	}
}

func logServerStream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		started := time.Now()
		err := handle(srv, stream)
		logCall(stream.Context(), log, "served", info.FullMethod, started, err)
		return err
	}
}

func logClientUnary(log *slog.Logger, callee string) grpc.UnaryClientInterceptor {
	log = log.With("callee", callee)
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		started := time.Now()
		err := invoke(ctx, method, req, reply, cc, opts...)
		logCall(ctx, log, "called", method, started, err)
		return err
	}
}

func logClientStream(log *slog.Logger, callee string) grpc.StreamClientInterceptor {
	log = log.With("callee", callee)
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		started := time.Now()
		return open(ctx, desc, cc, method, append(opts, grpc.OnFinish(func(err error) {
			logCall(ctx, log, "called", method, started, err)
		}))...)
	}
}
