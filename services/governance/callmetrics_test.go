package governance

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// TestMetrics_AgreeWithGoGRPCMiddleware runs the library that callmetrics.go replaced in the same chain. Both must count the same, under the
// same names and labels.
func TestMetrics_AgreeWithGoGRPCMiddleware(t *testing.T) {
	theirServer, theirClient := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram(grpcprom.WithHistogramBuckets(latencyBuckets))),
		grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram(grpcprom.WithHistogramBuckets(latencyBuckets)))
	theirs := prometheus.NewRegistry()
	theirs.MustRegister(theirServer, theirClient)
	ours := NewMetrics()
	service := echo
	service.unary = func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return &testv1.SimpleResponse{}, status.Error(codes.Code(req.GetResponseSize()), "chosen")
	}
	client := wire(t, service, ServerConfig{Metrics: ours, Options: []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(theirServer.UnaryServerInterceptor()), grpc.ChainStreamInterceptor(theirServer.StreamServerInterceptor())}},
		ClientConfig{Metrics: ours, Options: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(theirClient.UnaryClientInterceptor()), grpc.WithChainStreamInterceptor(theirClient.StreamClientInterceptor())}})
	for code := range codes.Code(17) {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseSize: int32(code)})
	}
	if n, err := echoes(t.Context(), client); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	want := flatten(t, theirs)
	if len(want) < 40 {
		t.Fatal("the library counts nothing:", want)
	}
	var got []string
	// The server counts a call after it has sent the answer.
	pollFor(time.Second, func() bool {
		got = flatten(t, ours.Gatherer)
		return slices.Equal(got, want)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-theirs +ours):\n%s", diff)
	}
	for _, side := range []string{"client", "server"} {
		for _, way := range []string{"sent", "received"} {
			if n := metric(t, ours, "grpc_"+side+"_msg_"+way+"_total", "grpc_method", "FullDuplexCall"); n != 5 {
				t.Errorf("%v messages %s by the %s, want 5", n, way, side)
			}
		}
	}
}

// flatten returns every series of the call metrics as a line, without our label callee.
func flatten(t *testing.T, r prometheus.Gatherer) (lines []string) {
	t.Helper()
	families, err := r.Gather()
	must(t, err)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "grpc_") {
			continue
		}
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() != "callee" {
					line += " " + l.GetName() + "=" + l.GetValue()
				}
			}
			switch n := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()); {
			// Our series exist from the first call of a method.
			case n == 0:
			// The library also counts the end of a stream and a failed answer as messages.
			case strings.Contains(f.GetName(), "_msg_"):
				lines = append(lines, line)
			default:
				lines = append(lines, fmt.Sprintf("%s %v", line, n))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestMetrics_NativeHistograms(t *testing.T) {
	metrics := NewMetrics()
	client := wire(t, fake{}, ServerConfig{Metrics: metrics}, ClientConfig{Metrics: metrics})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	for _, name := range []string{"grpc_server_handling_seconds", "grpc_client_handling_seconds"} {
		eventually(t, name+" has a native bucket", func() bool {
			series := allSeries(t, metrics, name, "grpc_method", "UnaryCall")
			if len(series) != 1 {
				return false
			}
			h := series[0].GetHistogram()
			return len(h.GetBucket()) >= len(latencyBuckets) && h.GetSchema() == 3 && len(h.GetPositiveSpan()) == 1
		})
	}
}

func TestTracing_OneTraceForBothSides(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	breakers := NewBreakers("c", BreakerConfig{MinCalls: 1}, nil, nil)
	client := wire(t, failing(codes.Unavailable), ServerConfig{Tracing: tracing}, ClientConfig{Callee: "users", Tracing: tracing, Breakers: breakers})
	_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	eventually(t, "two spans have ended", func() bool { return len(spans.GetSpans()) == 2 })
	byKind := map[trace.SpanKind]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		byKind[s.SpanKind] = s
		if s.Name != unaryMethod || s.Status.Description != "UNAVAILABLE" {
			t.Errorf("span %+v", s)
		}
	}
	made, received := byKind[trace.SpanKindClient], byKind[trace.SpanKindServer]
	if received.Parent.SpanID() != made.SpanContext.SpanID() || received.SpanContext.TraceID() != made.SpanContext.TraceID() {
		t.Error("the server's span is not below the client's")
	}
	spans.Reset()
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	refused := spans.GetSpans()
	if refusal.Reason(err) != refusal.ReasonBreakerOpen || len(refused) != 1 || len(refused[0].Events) != 1 || refused[0].Events[0].Name != "refused" ||
		refused[0].Events[0].Attributes[0].Value.AsString() != refusal.ReasonBreakerOpen {
		t.Errorf("%v: spans %+v", err, refused)
	}
}

// TestTracing_JoinsOtelgrpc checks that a caller or a callee with OpenTelemetry's own handler is in the same trace.
func TestTracing_JoinsOtelgrpc(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	options := []otelgrpc.Option{otelgrpc.WithTracerProvider(tracing), otelgrpc.WithPropagators(propagation.TraceContext{})}
	t.Run("otelgrpc calls us", func(t *testing.T) {
		spans.Reset()
		client := stranger(t, ServerConfig{Tracing: tracing}, grpc.WithStatsHandler(otelgrpc.NewClientHandler(options...)))
		_, err := client.UnaryCall(t.Context(), body(1))
		must(t, err)
		oneTrace(t, spans)
	})
	t.Run("we call otelgrpc", func(t *testing.T) {
		spans.Reset()
		s, pipe := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler(options...))), bufconn.Listen(1<<20)
		testv1.RegisterTestServiceServer(s, fake{})
		go func() { _ = s.Serve(pipe) }()
		defer s.Stop()
		conn, err := Dial("passthrough:///pipe", ClientConfig{Callee: "c", Tracing: tracing, Log: quiet, Options: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })}})
		must(t, err)
		defer conn.Close()
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), body(1))
		must(t, err)
		oneTrace(t, spans)
	})
}

func oneTrace(t *testing.T, spans *tracetest.InMemoryExporter) {
	t.Helper()
	eventually(t, "two spans have ended", func() bool { return len(spans.GetSpans()) == 2 })
	if s := spans.GetSpans(); s[0].SpanContext.TraceID() != s[1].SpanContext.TraceID() {
		t.Errorf("two traces: %s and %s", s[0].SpanContext.TraceID(), s[1].SpanContext.TraceID())
	}
}
