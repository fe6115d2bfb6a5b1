package governance

import (
	"context"
	"maps"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// TestTracing_ForwardedMetadata has a service in the middle that passes on the metadata of its caller, as a proxy does. Each span must be a
// child of the one before it.
func TestTracing_ForwardedMetadata(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	back := wire(t, fake{}, ServerConfig{Tracing: tracing}, ClientConfig{Callee: "back", Tracing: tracing})
	front := wire(t, fake{unary: func(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		maps.DeleteFunc(md, func(key string, _ []string) bool {
			return slices.Contains([]string{":authority", "content-type", "user-agent"}, key)
		})
		return back.UnaryCall(metadata.NewOutgoingContext(ctx, md), req)
	}}, ServerConfig{Tracing: tracing}, ClientConfig{Callee: "front", Tracing: tracing})
	_, err := front.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	eventually(t, "four spans have ended", func() bool { return len(spans.Ended()) == 4 })
	parents := map[trace.SpanID]trace.SpanID{}
	for _, s := range spans.Ended() {
		parents[s.SpanContext().SpanID()] = s.Parent().SpanID()
	}
	deepest := 0
	for id := range parents {
		depth := 0
		for ; parents[id].IsValid(); id = parents[id] {
			depth++
		}
		deepest = max(deepest, depth)
	}
	if deepest != 3 {
		t.Errorf("the deepest span has %d spans above it, want 3", deepest)
	}
}

func TestTracing_OutgoingHeaders(t *testing.T) {
	parent, err := trace.ParseTraceState("ours=1")
	must(t, err)
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceState: parent})
	plain := sampled.WithTraceState(trace.TraceState{})
	stale := metadata.Pairs("traceparent", "stale", "tracestate", "stale=1", "x-other", "kept")
	for _, c := range []struct {
		sentence string
		within   trace.SpanContext
		outgoing func(context.Context) context.Context
		state    []string
		other    []string
	}{
		{"no metadata", sampled, func(ctx context.Context) context.Context { return ctx }, []string{"ours=1"}, nil},
		{"other metadata", sampled, func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "x-other", "kept")
		}, []string{"ours=1"}, []string{"kept"}},
		{"headers of another trace", sampled, func(ctx context.Context) context.Context {
			return metadata.NewOutgoingContext(ctx, stale)
		}, []string{"ours=1"}, []string{"kept"}},
		{"headers of another trace, in upper case", sampled, func(ctx context.Context) context.Context {
			return metadata.NewOutgoingContext(ctx, metadata.MD{"Traceparent": {"stale"}, "TRACESTATE": {"stale=1"}})
		}, []string{"ours=1"}, nil},
		{"appended headers of another trace", sampled, func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "traceparent", "stale", "traceparent", "staler", "x-other", "kept")
		}, []string{"ours=1"}, []string{"kept"}},
		{"the state of another trace, but none of ours", plain, func(ctx context.Context) context.Context {
			return metadata.NewOutgoingContext(ctx, stale)
		}, nil, []string{"kept"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			tracer := newTracer(sdktrace.NewTracerProvider())
			ctx, span := tracer.client(c.outgoing(trace.ContextWithRemoteSpanContext(t.Context(), c.within)), newSpanTemplate(trace.SpanKindClient, "a.B/C"))
			defer span.End()
			md, _ := metadata.FromOutgoingContext(ctx)
			want := "00-" + c.within.TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-00"
			if got := md["traceparent"]; !slices.Equal(got, []string{want}) {
				t.Errorf("traceparent %q, want %q", got, want)
			}
			if got := md["tracestate"]; !slices.Equal(got, c.state) {
				t.Errorf("tracestate %q, want %q", got, c.state)
			}
			if got := md["x-other"]; !slices.Equal(got, c.other) {
				t.Errorf("other metadata %q, want %q", got, c.other)
			}
		})
	}
	if got := stale["traceparent"]; !slices.Equal(got, []string{"stale"}) {
		t.Errorf("the metadata of the caller was changed to %q", got)
	}
}

func TestTracing_IncomingHeaders(t *testing.T) {
	const first, last = "00-01000000000000000000000000000000-0100000000000000-01", "00-01000000000000000000000000000000-0200000000000000-01"
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("traceparent", first, "traceparent", last, "tracestate", "a=1", "tracestate", "b=2"))
	recorder := tracetest.NewSpanRecorder()
	_, span := newTracer(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))).server(ctx, newSpanTemplate(trace.SpanKindServer, "a.B/C"))
	span.End()
	parent := recorder.Ended()[0].Parent()
	if parent.SpanID() != (trace.SpanID{2}) || parent.TraceState().String() != "a=1,b=2" {
		t.Errorf("the parent is %s with the state %s, want the last one and both states", parent.SpanID(), parent.TraceState())
	}
}

func TestTracing_Baggage(t *testing.T) {
	tenant, err := baggage.NewMemberRaw("tenant", "acme & sons")
	must(t, err)
	ours, err := baggage.New(tenant)
	must(t, err)
	for _, c := range []struct {
		sentence string
		calling  func(context.Context) context.Context
		want     string
	}{
		{"no baggage", func(ctx context.Context) context.Context { return ctx }, ""},
		{"baggage", func(ctx context.Context) context.Context { return baggage.ContextWithBaggage(ctx, ours) }, "acme & sons"},
		{"baggage, and a forwarded header", func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(baggage.ContextWithBaggage(ctx, ours), "baggage", "tenant=stale")
		}, "acme & sons"},
		{"a header of the program itself", func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "baggage", "tenant=own")
		}, "own"},
		{"two headers", func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "baggage", "x=y", "baggage", "tenant=own")
		}, "own"},
		{"an invalid header", func(ctx context.Context) context.Context {
			return metadata.AppendToOutgoingContext(ctx, "baggage", "=")
		}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var got string
			client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				got = baggage.FromContext(ctx).Member("tenant").Value()
				return &testv1.SimpleResponse{}, nil
			}}, ServerConfig{Tracing: sdktrace.NewTracerProvider()}, ClientConfig{Tracing: sdktrace.NewTracerProvider()})
			_, err := client.UnaryCall(c.calling(t.Context()), &testv1.SimpleRequest{})
			must(t, err)
			if got != c.want {
				t.Errorf("the handler sees the tenant %q, want %q", got, c.want)
			}
		})
	}
}

func TestTracing_HeadersAllocate(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-other", "kept")
	appended := testing.AllocsPerRun(1000, func() { _ = metadata.AppendToOutgoingContext(ctx, "traceparent", "x") })
	ours := testing.AllocsPerRun(1000, func() {
		wire := traceHeaders{parent: "x"}
		_ = wire.outgoing(ctx)
	})
	if ours > appended {
		t.Errorf("headers that replace nothing take %v allocations, appending them %v", ours, appended)
	}
}
