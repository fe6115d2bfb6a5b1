package governance

import (
	"context"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestServerCall_DefaultDeadline(t *testing.T) {
	var left time.Duration
	client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		deadline, has := ctx.Deadline()
		if left = 0; has {
			left = time.Until(deadline)
		}
		return &testv1.SimpleResponse{}, nil
	}}, ServerConfig{}, ClientConfig{})
	if _, err := client.UnaryCall(context.Background(), &testv1.SimpleRequest{}); err != nil || left <= 0 || left > time.Second {
		t.Errorf("a call without a deadline has %v left (%v), want up to 1s", left, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.UnaryCall(ctx, &testv1.SimpleRequest{}); err != nil || left < 50*time.Second {
		t.Errorf("a call with a deadline of a minute has %v left (%v)", left, err)
	}
}

func TestServer_DeadlinePassed(t *testing.T) {
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	future, cancelFuture := context.WithTimeout(t.Context(), time.Minute)
	defer cancelFuture()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		want  codes.Code
		works bool
	}{
		{"the deadline has passed", past, codes.DeadlineExceeded, false},
		{"there is time left", future, codes.OK, true},
		{"there is no deadline", t.Context(), codes.OK, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			metrics, worked := NewMetrics(), false
			s := newServer(ServerConfig{Metrics: metrics, Log: quiet}.withDefaults())
			_, err := s.unary(c.ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/s/m"}, func(context.Context, any) (any, error) {
				worked = true
				return nil, nil
			})
			if status.Code(err) != c.want || worked != c.works {
				t.Errorf("unary: %v, worked %v", err, worked)
			}
			worked = false
			err = s.streaming(nil, streamIn{ctx: c.ctx}, &grpc.StreamServerInfo{FullMethod: "/s/m"}, func(any, grpc.ServerStream) error {
				worked = true
				return nil
			})
			if status.Code(err) != c.want || worked != c.works {
				t.Errorf("stream: %v, worked %v", err, worked)
			}
			refused := map[bool]float64{true: 0, false: 2}[c.works]
			if got := metric(t, metrics, "sandbox_deadline_refused_total", "method", "s/m"); got != refused {
				t.Errorf("%v refused, want %v", got, refused)
			}
		})
	}
}

type streamIn struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamIn) Context() context.Context { return s.ctx }

func TestServer_Panic(t *testing.T) {
	metrics := NewMetrics()
	client := wire(t, fake{
		unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) { panic("secret") },
		stream: func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
			panic("secret")
		},
	}, ServerConfig{Metrics: metrics}, ClientConfig{})
	_, unaryErr := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	s, err := client.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, streamErr := s.Recv()
	for method, err := range map[string]error{"UnaryCall": unaryErr, "FullDuplexCall": streamErr} {
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s returned %v", method, err)
		}
		if got := metric(t, metrics, "sandbox_panics_total", "method", "grpc.testing.TestService/"+method); got != 1 {
			t.Errorf("%s: %v panics, want 1", method, got)
		}
		if got := metric(t, metrics, "grpc_server_handled_total", "grpc_method", method, "grpc_code", "Internal"); got != 1 {
			t.Errorf("%s: %v counted as Internal, want 1", method, got)
		}
	}
}

func TestServer_PodHeader(t *testing.T) {
	var streaming func(duplex) error
	client := wire(t, fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return nil, status.Error(codes.Code(req.GetResponseSize()), "chosen")
	}, stream: func(s duplex) error { return streaming(s) }}, ServerConfig{Pod: "pod-1"}, ClientConfig{})
	for code, where := range map[codes.Code]string{codes.OK: "header", codes.NotFound: "trailer"} {
		var header, trailer metadata.MD
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseSize: int32(code)}, grpc.Header(&header), grpc.Trailer(&trailer))
		got := map[string][]string{"header": header.Get(PodHeader), "trailer": trailer.Get(PodHeader)}
		if len(got[where]) != 1 || got[where][0] != "pod-1" || len(got["header"])+len(got["trailer"]) != 1 {
			t.Errorf("%s: got %v, want the pod in the %s only", code, got, where)
		}
	}
	for kind, want := range map[string]struct {
		answer          int
		code            codes.Code
		header, trailer int
	}{
		"without messages": {0, codes.OK, 1, 0}, "with messages": {2, codes.OK, 1, 0},
		"an error at once": {0, codes.NotFound, 0, 1}, "an error after a message": {1, codes.NotFound, 1, 0},
	} {
		streaming = func(s duplex) error {
			for range want.answer {
				if err := s.Send(&testv1.StreamingOutputCallResponse{}); err != nil {
					return err
				}
			}
			return status.Error(want.code, "chosen")
		}
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		for err == nil {
			_, err = s.Recv()
		}
		header, _ := s.Header()
		if got := []int{len(header.Get(PodHeader)), len(s.Trailer().Get(PodHeader))}; got[0] != want.header || got[1] != want.trailer {
			t.Errorf("a stream %s has the pod %d times in its header and %d times in its trailer", kind, got[0], got[1])
		}
	}
}

// TestServer_PodHeaderWithOneOfTheHandler checks that a handler that sends a header itself sends the name of the pod with it, if there is one.
func TestServer_PodHeaderWithOneOfTheHandler(t *testing.T) {
	for pod, want := range map[string]int{"pod-1": 1, "": 0} {
		client := wire(t, fake{stream: func(s duplex) error { return s.SendHeader(metadata.Pairs("own", "x")) }}, ServerConfig{Pod: pod}, ClientConfig{})
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		header, err := s.Header()
		must(t, err)
		if got := header.Get(PodHeader); len(got) != want || len(header.Get("own")) != 1 {
			t.Errorf("pod %q: the header is %v", pod, header)
		}
		_, _ = s.Recv()
	}
}

func TestMetrics_ExemplarsOfBothSides(t *testing.T) {
	tracing := sdktrace.NewTracerProvider()
	serverSide, clientSide := NewMetrics(), NewMetrics()
	var served string
	client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		served = trace.SpanContextFromContext(ctx).TraceID().String()
		return &testv1.SimpleResponse{}, nil
	}}, ServerConfig{Metrics: serverSide, Tracing: tracing}, ClientConfig{Callee: "userservice", Metrics: clientSide, Tracing: tracing})
	if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		metrics *Metrics
		name    string
		labels  []string
	}{
		{serverSide, "grpc_server_handled_total", []string{"grpc_method", "UnaryCall", "grpc_code", "OK"}},
		{serverSide, "grpc_server_handling_seconds", []string{"grpc_method", "UnaryCall"}},
		{clientSide, "grpc_client_handled_total", []string{"grpc_method", "UnaryCall", "grpc_code", "OK", "callee", "userservice"}},
		{clientSide, "grpc_client_handling_seconds", []string{"grpc_method", "UnaryCall", "callee", "userservice"}},
	} {
		eventually(t, row.name+" is 1", func() bool { return metric(t, row.metrics, row.name, row.labels...) == 1 })
		if !strings.HasSuffix(row.name, "_seconds") {
			continue
		}
		var linked string
		for _, b := range allSeries(t, row.metrics, row.name)[0].GetHistogram().GetBucket() {
			for _, l := range b.GetExemplar().GetLabel() {
				linked = l.GetName() + "=" + l.GetValue()
			}
		}
		if linked != "trace_id="+served {
			t.Errorf("%s has the exemplar %q, the handler ran in trace %s", row.name, linked, served)
		}
	}
}
