package governance

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestLogCall_Levels(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	for _, c := range []struct {
		name  string
		level slog.Level
		err   error
		// want is the level of the line; empty means none.
		want string
	}{
		{"a success is not logged", slog.LevelInfo, nil, ""},
		{"except at debug level", slog.LevelDebug, nil, "DEBUG"},
		{"a failure is logged", slog.LevelInfo, status.Error(codes.Internal, "chosen"), "ERROR"},
		{"a refusal that is the caller's fault is not", slog.LevelInfo, status.Error(codes.NotFound, "chosen"), ""},
		{"a call that an open breaker refuses is not", slog.LevelInfo, refusal.New(codes.Unavailable, refusal.ReasonBreakerOpen, "open"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			logCall(ctx, NewLog(&out, c.level).With("service", "a"), "served", "/s.S/M", 0, c.err)
			if c.want == "" {
				if out.Len() > 0 {
					t.Errorf("logged %s", &out)
				}
				return
			}
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err, out.String())
			}
			if line["level"] != c.want || line["trace_id"] != span.TraceID().String() || line["method"] != "/s.S/M" ||
				line["code"] != rpccode.Name(rpccode.Of(c.err)) || line["service"] != "a" {
				t.Errorf("logged %s", &out)
			}
		})
	}
}
