package governance

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// metricNames returns the names of all metrics that start with a prefix.
func metricNames(t *testing.T, g prometheus.Gatherer, prefix string) (found []string) {
	t.Helper()
	families, err := g.Gather()
	must(t, err)
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), prefix) {
			found = append(found, f.GetName())
		}
	}
	return found
}

func TestMetrics_OwnRegistryAndPrefix(t *testing.T) {
	registry := prometheus.NewRegistry()
	cfg := Config{Service: "job", TLSDir: "off", Metrics: MetricsConfig{Registerer: registry, Prefix: "shop_"}}
	for range 2 {
		p, err := Start(t.Context(), io.Discard, cfg)
		must(t, err)
		p.Metrics.panics.WithLabelValues("a.B/C").Inc()
		if got := metricNames(t, registry, "shop_panics_total"); len(got) != 1 {
			t.Error("the registry has no metric with the prefix:", metricNames(t, registry, ""))
		}
		for _, prefix := range []string{"sandbox_", "go_", "process_"} {
			if got := metricNames(t, registry, prefix); len(got) > 0 {
				t.Error("the registry has", got)
			}
		}
		before := len(metricNames(t, registry, ""))
		if _, err := Start(t.Context(), io.Discard, cfg); err == nil || !strings.Contains(remedy.Line(err, nil), "try: give each process a registry") {
			t.Error("a second process with the same registry:", err)
		}
		if got := len(metricNames(t, registry, "")); got != before {
			t.Errorf("the process that did not start left %d metrics, want %d", got, before)
		}
		must(t, p.Close())
		if got := metricNames(t, registry, ""); len(got) > 0 {
			t.Error("after Close the registry has", got)
		}
	}
}

func TestMetrics_WrappedRegisterer(t *testing.T) {
	registry := prometheus.NewRegistry()
	wrapped := prometheus.WrapRegistererWithPrefix("team_", registry)
	if _, err := NewMetricsWith(MetricsConfig{Registerer: wrapped}); err == nil || !strings.Contains(remedy.Line(err, nil), "try: set Gatherer") {
		t.Error("without a gatherer:", err)
	}
	m, err := NewMetricsWith(MetricsConfig{Registerer: wrapped, Gatherer: registry})
	must(t, err)
	m.server.method(unaryKind, unaryMethod).started.Inc()
	if got := metric(t, m, "team_grpc_server_started_total"); got != 1 {
		t.Error("the wrapped registry has", metricNames(t, registry, ""))
	}
	m.unregister()
	if got := metricNames(t, registry, ""); len(got) > 0 {
		t.Error("after unregister the registry has", got)
	}
}

// TestOptions_OfTheProgram runs a server and a client with everything that a program may bring along.
func TestOptions_OfTheProgram(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var served, called string
	at, stop, ended := running(t, fake{}, func(c *Config) {
		c.Listeners.Service, c.HealthAddr, c.MetricsAddr, c.NoReflection, c.Tracing, c.DrainDelay = listener, "off", "off", true, tracing, Off
		c.Options = append(c.Options, grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			served = info.FullMethod
			return handle(ctx, req)
		}))
	})
	if want := (Addresses{Service: listener.Addr().String()}); at != want {
		t.Errorf("the program listens at %+v, want %+v", at, want)
	}
	p, err := Start(t.Context(), io.Discard, Config{Service: "job", TLSDir: "off", Tracing: tracing, DialOptions: []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			called = method
			return invoke(ctx, method, req, reply, cc, opts...)
		})}})
	must(t, err)
	conn, err := p.Dial(at.Service, "callee")
	must(t, err)
	_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	if served != "/"+unaryMethod || called != "/"+unaryMethod {
		t.Errorf("the interceptors saw %q and %q", called, served)
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	must(t, err)
	must(t, stream.CloseSend())
	if _, err := stream.Recv(); status.Code(err) != codes.Unimplemented {
		t.Error("reflection:", err)
	}
	must(t, p.Close())
	stop()
	must(t, <-ended)
	byKind := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range spans.Ended() {
		if s.Name() == unaryMethod {
			byKind[s.SpanKind().String()] = s
		}
	}
	if len(byKind) != 2 || byKind["server"].Parent().SpanID() != byKind["client"].SpanContext().SpanID() {
		t.Errorf("the provider of the program has the spans %v", spans.Ended())
	}
	if _, span := tracing.Tracer("").Start(t.Context(), "later"); !span.IsRecording() {
		t.Error("the provider of the program was shut down")
	}
}

func TestListeners_ClosedAfterAFailure(t *testing.T) {
	for _, c := range []struct {
		sentence string
		change   func(*Config)
		register error
	}{
		{"no certificate", func(c *Config) { c.TLSDir = t.TempDir() }, nil},
		{"an address in use", func(c *Config) { c.HealthAddr = c.Listeners.Service.Addr().String() }, nil},
		{"a failed registration", func(*Config) {}, errors.New("no database")},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			cfg := Config{Service: "test", TLSDir: "off", Listeners: Listeners{Service: listener}, HealthAddr: "off", MetricsAddr: "off"}
			c.change(&cfg)
			if err := Run(t.Context(), io.Discard, cfg, func(*Process, *grpc.Server) error { return c.register }); err == nil {
				t.Error("the program ran")
			}
			if err := listener.(*net.TCPListener).SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Error("the listener is open:", err)
			}
		})
	}
	if err := Run(t.Context(), io.Discard, Config{Service: "test", TLSDir: "off", ListenAddr: "off"}, nil); err == nil || !strings.Contains(err.Error(), "can be off") {
		t.Error("a program that listens nowhere:", err)
	}
}
