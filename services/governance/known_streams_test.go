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

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

type duplex = grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]

// live answers once and then lives until its caller leaves, as a chat or a watch does.
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

// Reproduces: MaxConnectionAge + grace (30 s + 10 s by default) cuts every long-lived stream with UNAVAILABLE, and the caller's breaker counts
// each as a failure of the callee. Only ended streams are counted, so the ratio is 100 %: a healthy service opens its callers' breakers every 40 s.
func TestBreaker_StreamsEndedByConnectionAge(t *testing.T) {
	knownfailures.Listed(t)
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
	if refusal.Reason(err) == ReasonBreakerOpen {
		t.Error("a healthy callee that only ended connections by age is refused by the breaker")
	}
}

// Reproduces: after an outage the breaker of a long-lived streaming method does not close, although every stream that is let in is healthy
// and has had answers: probes count when they END. It lets Probes (5) streams in per Window (10 s) for ever.
func TestBreaker_ClosesOnAnsweredStreams(t *testing.T) {
	knownfailures.Listed(t)
	addr := tcp(t, fake{stream: live}, ServerConfig{})
	const window = 500 * time.Millisecond // 10 s by default
	breakers := NewBreakers("c", BreakerConfig{MinCalls: 1, Open: 50 * time.Millisecond, Window: window}, nil, nil)
	done, err := begin(breakers, "chat", "/"+streamMethod) // the outage
	must(t, err)
	done(errDown)
	time.Sleep(60 * time.Millisecond)
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "chat", Breakers: breakers, Log: quiet})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	var in, refused int
	const windows = 6
	for began := time.Now(); time.Since(began) < windows*window; time.Sleep(5 * time.Millisecond) {
		s, err := client.FullDuplexCall(t.Context())
		if err == nil {
			_, err = s.Recv()
		}
		if err == nil {
			in++
		} else if refusal.Reason(err) == ReasonBreakerOpen {
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

// Reproduces: MaxConcurrent (100 by default, for a callee and method) counts streams while they live, and each refusal counts as a failure:
// the 101st chat user and the 20 after him open the breaker.
func TestBreaker_StreamsAboveMaxConcurrent(t *testing.T) {
	knownfailures.Listed(t)
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
	time.Sleep(150 * time.Millisecond) // half-open time; still 100 streams live
	_, err = client.FullDuplexCall(t.Context())
	t.Log("the first after the open time (a probe that is never sent):", err, "->", breakers.Snapshot()[0])
	if opened == StateOpen {
		t.Error("nothing was ever wrong with the callee, and its breaker is open")
	}
	cancel()
}

// A callee whose answer is CANCELLED (its own context was cancelled, or a proxy reset the stream with CANCEL) is in trouble; its caller gave nothing up.
func TestBreaker_CalleeAnswersCancelled(t *testing.T) {
	knownfailures.Listed(t)
	var served atomic.Int64
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		served.Add(1)
		inner, cancel := context.WithCancel(context.Background())
		cancel()
		return nil, inner.Err() // a handler whose errgroup or pool was cancelled
	}}, ServerConfig{}, ClientConfig{Breakers: breakers})
	var err error
	for range 200 {
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	t.Logf("200 of 200 calls failed with %s, %d reached the callee, breaker %s", status.Code(err), served.Load(), breakers.Snapshot()[0].State)
	if breakers.Snapshot()[0].State != StateOpen {
		t.Error("the callee fails every call and the breaker has not heard of one")
	}
}

// Calls that never leave: the caller's time is over before, or the request is too large to be sent. Both count against the callee.
func TestBreaker_CallsNeverSent(t *testing.T) {
	knownfailures.Listed(t)
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
				t.Error("the breaker opened on calls that the callee never saw")
			}
		})
	}
}
