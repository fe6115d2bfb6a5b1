package governance

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/encoding"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
)

// globals describes what the libraries that this package uses share within a program.
func globals(t *testing.T) (lines []string) {
	t.Helper()
	add := func(name string, value any) { lines = append(lines, fmt.Sprint(name, " ", value)) }
	pointer := func(v any) string { return fmt.Sprintf("%T %p", v, v) }
	add("tracer provider", pointer(otel.GetTracerProvider()))
	add("meter provider", pointer(otel.GetMeterProvider()))
	add("propagator", fmt.Sprintf("%T %v", otel.GetTextMapPropagator(), otel.GetTextMapPropagator().Fields()))
	add("error handler", fmt.Sprintf("%T", otel.GetErrorHandler()))
	add("slog", pointer(slog.Default()))
	add("log", fmt.Sprint(log.Default().Writer() == os.Stderr, log.Flags(), log.Prefix()))
	add("metrics", metricNames(t, prometheus.DefaultGatherer, ""))
	add("registerer", pointer(prometheus.DefaultRegisterer))
	for _, path := range []string{"/", "/metrics", "/debug/requests"} {
		_, pattern := http.DefaultServeMux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
		add("mux "+path, pattern)
	}
	add("http", pointer(http.DefaultTransport)+pointer(http.DefaultClient))
	add("scheme", resolver.GetDefaultScheme())
	for _, scheme := range []string{"dns", "passthrough", "unix"} {
		add("resolver "+scheme, reflect.TypeOf(resolver.Get(scheme)))
	}
	for _, name := range []string{"round_robin", "pick_first", "least_request_experimental"} {
		add("balancer "+name, reflect.TypeOf(balancer.Get(name)))
	}
	add("gzip", pointer(encoding.GetCompressor("gzip")))
	add("proto", pointer(encoding.GetCodecV2("proto")))
	add("environment", os.Environ())
	return lines
}

// TestGlobals_Unchanged checks that a program can use this package next to others: it changes nothing that they share. The only exception are the two
// balancers, which gRPC knows by their names; no other balancer and no resolver is replaced.
func TestGlobals_Unchanged(t *testing.T) {
	before := globals(t)
	at, stop, ended := running(t, fake{}, func(c *Config) { c.OTLPEndpoint, c.DrainDelay = "http://127.0.0.1:1", Off })
	p, err := Start(t.Context(), io.Discard, Config{Service: "job", TLSDir: "off", OTLPEndpoint: "http://127.0.0.1:1", TraceRatio: 1})
	must(t, err)
	for _, target := range []string{at.Service, "passthrough:///" + at.Service} {
		conn, err := p.Dial(target, "callee")
		must(t, err)
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
		must(t, err)
	}
	during := globals(t)
	must(t, p.Close())
	stop()
	must(t, <-ended)
	for when, got := range map[string][]string{"while the program runs": during, "after the program": globals(t)} {
		if !slices.Equal(got, before) {
			t.Errorf("%s:\ngot  %s\nwant %s", when, strings.Join(got, "\n     "), strings.Join(before, "\n     "))
		}
	}
	// What was changed during initialization was so before this test.
	for _, line := range before {
		switch {
		case strings.HasPrefix(line, "resolver "), strings.HasPrefix(line, "balancer "):
			if strings.Contains(line, "governance") {
				t.Error("replaced:", line)
			}
		case strings.HasPrefix(line, "metrics "):
			for _, prefix := range []string{"sandbox_", "grpc_"} {
				if strings.Contains(line, prefix) {
					t.Error("the default registry has", line)
				}
			}
		case strings.HasPrefix(line, "tracer provider "):
			if !strings.Contains(line, "internal/global") && !strings.Contains(line, "*global.") {
				t.Error("there is a global", line)
			}
		}
	}
}
