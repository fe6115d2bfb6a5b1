package governance

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// taker is a collector that records the names of the spans it received.
type taker struct {
	collector.UnimplementedTraceServiceServer
	spans chan string
}

func (c taker) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	for _, r := range req.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				c.spans <- span.GetName()
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// TestTracing_SpansUseMutualTLS matters because spans reveal who calls whom, how often and with which keys.
func TestTracing_SpansUseMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	its, _ := identity(t, ca.issue("localhost"), nil)
	ours, _ := identity(t, ca.issue(serverDNS), nil)
	stranger, _ := identity(t, newAuthority(t).issue(serverDNS), nil)
	l, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	spans := make(chan string, 10)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(its.ServerTLS())))
	collector.RegisterTraceServiceServer(server, taker{spans: spans})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	for _, c := range []struct {
		sentence, scheme string
		identity         *Identity
		taken            bool
	}{
		{"certificates of the same authority", "https", ours, true},
		{"certificates of different authorities", "https", stranger, false},
		{"no client certificate", "https", nil, false},
		{"plaintext", "http", ours, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var log bytes.Buffer
			tracing, err := NewTracing(t.Context(), TracingConfig{Service: "a", Pod: "a-1", Endpoint: c.scheme + "://localhost:" + port, Identity: c.identity,
				Ratio: 1, Log: NewLog(&log, slog.LevelInfo)})
			must(t, err)
			defer func() { _ = tracing.Shutdown(context.Background()) }()
			_, span := tracing.Tracer("").Start(t.Context(), c.sentence)
			span.End()
			must(t, tracing.ForceFlush(t.Context()))
			if lost := strings.Contains(log.String(), "spans are lost"); lost == c.taken {
				t.Errorf("the log: %s", log.String())
			}
			if c.taken {
				if got := <-spans; got != c.sentence {
					t.Errorf("received span %q", got)
				}
			} else if len(spans) != 0 {
				t.Errorf("received span %q", <-spans)
			}
		})
	}
}

func TestNewTracing_UnusableEndpoint(t *testing.T) {
	for endpoint, usable := range map[string]bool{
		"": true, "jaeger:4317": true, "http://jaeger:4317": true, "https://jaeger": true,
		"jaeger": false, "::bad::": false, "ftp://jaeger:4317": false, "https://": false, "http://%zz": false,
	} {
		tracing, err := NewTracing(t.Context(), TracingConfig{Service: "a", Endpoint: endpoint})
		if (err == nil) != usable || err != nil && !strings.Contains(remedy.Line(err, nil), "try: https://jaeger.") {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err == nil {
			must(t, tracing.Shutdown(t.Context()))
		}
	}
}
