package governance

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

type duplex = grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]

// live answers once and then lives until its caller leaves, like a chat or a watch.
func live(s duplex) error {
	_ = s.Send(&testv1.StreamingOutputCallResponse{})
	<-s.Context().Done()
	return s.Context().Err()
}

func tcp(t *testing.T, service fake, server ServerConfig) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server.Log = quiet
	s := Server(server)
	testv1.RegisterTestServiceServer(s, service)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

// TestBreaker_StreamsEndedByConnectionAge checks that streams which the server ends with an old connection are no failures of the callee.
func TestBreaker_StreamsEndedByConnectionAge(t *testing.T) {
	addr := tcp(t, fake{stream: live}, ServerConfig{MaxAge: time.Second, MaxAgeGrace: 200 * time.Millisecond})
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "chat", Breakers: breakers, Log: quiet})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	ends := make(chan error, 25)
	for range 25 {
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		go func() { _, err := s.Recv(); ends <- err }()
	}
	var last error
	for range 25 {
		last = <-ends
	}
	t.Log("each stream ended with:", last)
	s, err := client.FullDuplexCall(t.Context())
	if err == nil {
		_, err = s.Recv()
	}
	t.Log("and the next stream got:", err, refusal.Reason(err), breakers.Snapshot())
	if refusal.Reason(err) == refusal.ReasonBreakerOpen {
		t.Error("the breaker refuses a healthy callee that only closed old connections")
	}
}

// TestBreaker_ClosesOnAnsweredStreams checks that long-lived streams close a breaker with their first message, not with their end.
func TestBreaker_ClosesOnAnsweredStreams(t *testing.T) {
	addr := tcp(t, fake{stream: live}, ServerConfig{})
	// By default the window is 10 s.
	const window = 500 * time.Millisecond
	breakers := NewBreakers("c", BreakerConfig{MinCalls: 1, Open: time.Nanosecond, Window: window}, nil, nil)
	// The outage.
	done, err := begin(breakers, "chat", "/"+streamMethod)
	must(t, err)
	done(errDown)
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "chat", Breakers: breakers, Log: quiet})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	var in, refused int
	const windows = 6
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < windows*window; <-tick.C {
		s, err := client.FullDuplexCall(t.Context())
		if err == nil {
			_, err = s.Recv()
		}
		if err == nil {
			in++
		} else if refusal.Reason(err) == refusal.ReasonBreakerOpen {
			refused++
		} else {
			t.Fatal(err)
		}
	}
	t.Logf("over %d windows the healthy callee got %d streams (all answered), %d were refused; state %s", windows, in, refused, breakers.Snapshot()[0].State)
	if breakers.Snapshot()[0].State != StateClosed {
		t.Error("the breaker never closed")
	}
}

// TestBreaker_StreamsAboveMaxConcurrent checks that open streams take no place of a unary call, and that a refused one says nothing about the callee.
func TestBreaker_StreamsAboveMaxConcurrent(t *testing.T) {
	addr := tcp(t, fake{stream: live}, ServerConfig{})
	breakers := NewBreakers("c", BreakerConfig{Open: 100 * time.Millisecond}, nil, nil)
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "chat", Breakers: breakers, Log: quiet})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	ctx, cancel := context.WithCancel(t.Context())
	for range 100 {
		s, err := client.FullDuplexCall(ctx)
		must(t, err)
		_, err = s.Recv()
		must(t, err)
	}
	for range 25 {
		_, _ = client.FullDuplexCall(t.Context())
	}
	t.Log("100 healthy streams, 25 more tried:", breakers.Snapshot()[0])
	opened := breakers.Snapshot()[0].State
	// After the open time the breaker is half-open, and the 100 streams are still alive.
	pollFor(time.Second, func() bool {
		_, err = client.FullDuplexCall(t.Context())
		return refusal.Reason(err) != refusal.ReasonBreakerOpen
	})
	t.Log("the first after the open time (a probe that is never sent):", err, "->", breakers.Snapshot()[0])
	if opened == StateOpen {
		t.Error("the callee never failed, but its breaker is open")
	}
	cancel()
}

// TestBreaker_CalleeAnswersCancelled checks that CANCELLED is a failure of the callee if its caller did not cancel.
func TestBreaker_CalleeAnswersCancelled(t *testing.T) {
	var served atomic.Int64
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		served.Add(1)
		inner, cancel := context.WithCancel(context.Background())
		cancel()
		// For example, a handler whose errgroup was cancelled.
		return nil, inner.Err()
	}}, ServerConfig{}, ClientConfig{Breakers: breakers})
	var err error
	for range 200 {
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	t.Logf("200 of 200 calls failed with %s, %d reached the callee, breaker %s", status.Code(err), served.Load(), breakers.Snapshot()[0].State)
	if breakers.Snapshot()[0].State != StateOpen {
		t.Error("the callee fails every call, but the breaker counts none")
	}
}

// TestBreaker_CallsNeverSent checks that a call that never left the client says nothing about the callee.
func TestBreaker_CallsNeverSent(t *testing.T) {
	for name, call := range map[string]func(context.Context, testv1.TestServiceClient) error{
		"the caller's deadline had passed": func(ctx context.Context, c testv1.TestServiceClient) error {
			ctx, cancel := context.WithTimeout(ctx, -time.Second)
			defer cancel()
			_, err := c.UnaryCall(ctx, &testv1.SimpleRequest{})
			return err
		},
		"the request is larger than this client sends": func(ctx context.Context, c testv1.TestServiceClient) error {
			_, err := c.UnaryCall(ctx, &testv1.SimpleRequest{Payload: &testv1.Payload{Body: make([]byte, 17<<20)}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int64
			breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
			client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				served.Add(1)
				return &testv1.SimpleResponse{}, nil
			}}, ServerConfig{}, ClientConfig{Breakers: breakers})
			var err error
			for range 20 {
				err = call(t.Context(), client)
			}
			t.Logf("20 calls, %v; %d reached the callee", err, served.Load())
			_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			t.Log("a good call now gets:", err)
			if err != nil {
				t.Error("the breaker opened after calls that the callee never received")
			}
		})
	}
}
