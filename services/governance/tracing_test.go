package governance

import (
	"context"
	"net"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// taker is a collector that keeps the names of the spans it took.
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

// TestSpansGoOutUnderMutualTLS: they say who calls whom, how often and with which keys.
func TestSpansGoOutUnderMutualTLS(t *testing.T) {
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
		{"a certificate of the same authority is trusted, and trusts", "https", ours, true},
		{"one of another authority neither trusts nor is trusted", "https", stranger, false},
		{"without a certificate nothing is taken", "https", nil, false},
		{"plaintext is not understood", "http", ours, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			tracing, err := NewTracing(t.Context(), TracingConfig{Service: "a", Pod: "a-1", Endpoint: c.scheme + "://localhost:" + port, Identity: c.identity, Ratio: 1})
			must(t, err)
			defer func() { _ = tracing.Shutdown(context.Background()) }()
			_, span := tracing.Tracer("").Start(t.Context(), c.sentence)
			span.End()
			err = tracing.ForceFlush(t.Context())
			if (err == nil) != c.taken {
				t.Errorf("sending ended with %v", err)
			}
			if c.taken {
				if got := <-spans; got != c.sentence {
					t.Errorf("took span %q", got)
				}
			} else if len(spans) != 0 {
				t.Errorf("took span %q", <-spans)
			}
		})
	}
}
