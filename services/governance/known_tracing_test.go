package governance

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// Reproduces: traceparent is appended to the outgoing metadata, but the first value is read. A service that forwards incoming metadata (a
// gateway or proxy: metadata.NewOutgoingContext(ctx, incoming)) sends two, and the next hop gets the wrong parent.
func TestTracing_ForwardedMetadata(t *testing.T) {
	knownfailures.Listed(t)
	spans := tracetest.NewSpanRecorder()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	var seen []string
	back := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		seen = metadata.ValueFromIncomingContext(ctx, "traceparent")
		return &testv1.SimpleResponse{}, nil
	}}, ServerConfig{Tracing: tracing}, ClientConfig{Callee: "back", Tracing: tracing})
	front := wire(t, fake{unary: func(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		hand := metadata.MD{}
		for k, v := range md {
			if k != ":authority" && k != "content-type" && k != "user-agent" {
				hand[k] = v
			}
		}
		return back.UnaryCall(metadata.NewOutgoingContext(ctx, hand), req)
	}}, ServerConfig{Tracing: tracing}, ClientConfig{Callee: "front", Tracing: tracing})
	_, err := front.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	eventually(t, "four spans have ended", func() bool { return len(spans.Ended()) == 4 })
	byID := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range spans.Ended() {
		byID[s.SpanContext().SpanID().String()] = s
	}
	depth := func(s sdktrace.ReadOnlySpan) (n int) {
		for s.Parent().IsValid() && byID[s.Parent().SpanID().String()] != nil {
			n, s = n+1, byID[s.Parent().SpanID().String()]
		}
		return n
	}
	deepest := 0
	for _, s := range spans.Ended() {
		deepest = max(deepest, depth(s))
	}
	t.Logf("traceparent headers at the last hop: %d; %d spans, the deepest has %d above it (want 3)", len(seen), len(spans.Ended()), deepest)
	if deepest != 3 {
		t.Error("the last server's span is not below its caller's")
	}
}

// Reproduces: W3C baggage is not propagated, and a program cannot choose a propagator.
func TestTracing_Baggage(t *testing.T) {
	knownfailures.Listed(t)
	var got string
	client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		got = baggage.FromContext(ctx).Member("tenant").Value()
		if v := metadata.ValueFromIncomingContext(ctx, "baggage"); len(v) > 0 {
			got += " (header)"
		}
		return &testv1.SimpleResponse{}, nil
	}}, ServerConfig{Tracing: sdktrace.NewTracerProvider()}, ClientConfig{Tracing: sdktrace.NewTracerProvider()})
	m, _ := baggage.NewMember("tenant", "acme")
	b, _ := baggage.New(m)
	_, err := client.UnaryCall(baggage.ContextWithBaggage(t.Context(), b), &testv1.SimpleRequest{})
	must(t, err)
	if got != "acme" {
		t.Errorf("baggage tenant=acme arrives as %q", got)
	}
}
