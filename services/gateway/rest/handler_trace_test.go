package rest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// TestTrace_ContinuesThroughGovernance uses a connection of governance, whose span is a child of the caller's and the parent of the service's.
func TestTrace_ContinuesThroughGovernance(t *testing.T) {
	s, spans := &shop{}, tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	pipe, server := bufconn.Listen(1<<20), grpc.NewServer()
	userv1.RegisterUserServiceServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(pipe) }()
	connection, err := governance.Dial("passthrough:shop", governance.ClientConfig{Callee: "userservice", Tracing: provider,
		Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })}})
	must(t, err)
	defer func() {
		must(t, connection.Close())
		server.Stop()
		must(t, <-done)
	}()
	h, err := New(Config{Connection: func(string) grpc.ClientConnInterface { return connection }})
	must(t, err)
	w := send(h, request("GET", "/v1/users/u-42", "", "Traceparent", parent, "Tracestate", "a=1", "X-Partner", "acme"))
	if w.Code != 200 || len(spans.Ended()) != 1 {
		t.Fatalf("%d %s, %d spans", w.Code, w.Body, len(spans.Ended()))
	}
	span := spans.Ended()[0]
	if got := span.Parent(); got.TraceID().String() != parent[3:35] || got.SpanID().String() != parent[36:52] {
		t.Errorf("the parent of the span is %v", got)
	}
	want := fmt.Sprintf("00-%s-%s-01", parent[3:35], span.SpanContext().SpanID())
	if md := s.received(); strings.Join(md["traceparent"], " and ") != want || strings.Join(md["tracestate"], " and ") != "a=1" || strings.Join(md["x-partner"], " and ") != "acme" {
		t.Errorf("the service received %v, want the traceparent %s", md, want)
	}
	// The default deadline of governance.
	if s.left <= 0 {
		t.Error("the call has no deadline")
	}
}

// TestHandler_ConcurrentRequests checks with the race detector that requests share nothing.
func TestHandler_ConcurrentRequests(t *testing.T) {
	h := (&shop{}).serve(t)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			id := fmt.Sprintf("u-%d", i)
			if w := send(h, request("GET", "/v1/users/"+id, "", "X-Request-Id", id)); !strings.Contains(w.Body.String(), `"userId":"`+id+`"`) || w.Header().Get("X-Request-Id") != id {
				t.Errorf("%s: %d %s", id, w.Code, w.Body)
			}
			if w := send(h, request("POST", "/v1/users", `{"name": "`+id+`"}`)); !strings.Contains(w.Body.String(), `"name":"`+id+`"`) {
				t.Errorf("%s: %d %s", id, w.Code, w.Body)
			}
			if p := problemOf(t, send(h, request("POST", "/v1/orders", `{"`+id+`": 1}`))); violation(p) != id {
				t.Errorf("%s: %+v", id, p)
			}
		})
	}
	group.Wait()
}
