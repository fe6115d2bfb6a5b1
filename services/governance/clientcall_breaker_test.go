package governance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestClient_OpenBreakerSendsNothing(t *testing.T) {
	var served atomic.Int64
	metrics := NewMetrics()
	client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		served.Add(1)
		return nil, status.Error(codes.Unavailable, "chosen")
	}}, ServerConfig{}, ClientConfig{Callee: "userservice", Metrics: metrics, Breakers: NewBreakers("c", BreakerConfig{}, metrics, nil)})
	for range 20 {
		if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); refusal.Reason(err) != "" {
			t.Fatal("refused too early:", err)
		}
	}
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if status.Code(err) != codes.Unavailable || refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("got", err)
	}
	if served.Load() != 20 {
		t.Errorf("the server saw %d calls, want 20", served.Load())
	}
	if got := metric(t, metrics, "sandbox_breaker_state", "callee", "userservice", "method", unaryMethod); got != 1 {
		t.Errorf("state %v, want 1", got)
	}
	// Metrics include refused calls.
	if got := metric(t, metrics, "grpc_client_handled_total", "callee", "userservice", "grpc_code", "Unavailable"); got != 21 {
		t.Errorf("%v calls counted, want 21", got)
	}
}

// TestClient_RateLimitLeavesTheBreakerClosed: ten times the calls that the callee's limit admits.
func TestClient_RateLimitLeavesTheBreakerClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
		client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			return &testv1.SimpleResponse{}, nil
		}},
			ServerConfig{Policy: policyOf(t, "rate: {limits: [{tokenBucket: {rate: 10}}]}")}, ClientConfig{Callee: "userservice", Breakers: breakers})
		answered := 0
		for range 1000 {
			if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err == nil {
				answered++
			} else if refusal.Reason(err) != refusal.ReasonRateLimited {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if answered < 99 || answered > 101 {
			t.Errorf("%d of 1000 calls in 10 s were answered, want those that the limit admits", answered)
		}
		if got := breakers.Snapshot()[0].State; got != StateClosed {
			t.Errorf("the breaker is %s", got)
		}
	})
}

// halfOpenForStreams returns breakers with one probe, whose open time has passed.
func halfOpenForStreams(t *testing.T, callee string) *Breakers {
	b := NewBreakers("c", BreakerConfig{MinCalls: 1, Open: time.Nanosecond, Probes: 1}, nil, nil)
	done, err := begin(b, callee, "/"+streamMethod)
	if err != nil {
		t.Fatal(err)
	}
	done(status.Error(codes.Unavailable, "chosen"))
	return b
}

func TestClient_StreamFreesItsProbe(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(stop context.Context) error
		use   func(cancel context.CancelFunc, s grpc.BidiStreamingClient[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse])
	}{
		{"when the server ends it", func(context.Context) error { return nil }, func(_ context.CancelFunc, s grpc.BidiStreamingClient[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) {
			_, _ = s.Recv()
		}},
		{"when the server fails it", func(context.Context) error { return status.Error(codes.NotFound, "chosen") }, func(_ context.CancelFunc, s grpc.BidiStreamingClient[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) {
			_, _ = s.Recv()
		}},
		{"when the client cancels without reading", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, func(cancel context.CancelFunc, _ grpc.BidiStreamingClient[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) {
			cancel()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			breakers := halfOpenForStreams(t, "callee")
			client := wire(t, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				return c.serve(s.Context())
			}}, ServerConfig{}, ClientConfig{Breakers: breakers})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := client.FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			c.use(cancel, s)
			eventually(t, "the slot is free", func() bool {
				done, err := begin(breakers, "callee", "/"+streamMethod)
				if err == nil {
					done(nil)
				}
				return err == nil
			})
		})
	}
}

func TestClient_StreamHoldsItsProbe(t *testing.T) {
	breakers := halfOpenForStreams(t, "callee")
	client := wire(t, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
		<-s.Context().Done()
		return nil
	}}, ServerConfig{}, ClientConfig{Breakers: breakers})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := client.FullDuplexCall(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := client.FullDuplexCall(ctx); refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("a second probe got", err)
	}
}

func TestClient_FailedStreamFreesItsProbeOnce(t *testing.T) {
	breakers := halfOpenForStreams(t, "callee")
	failed := errors.New("chosen")
	intercept := newClient(ClientConfig{Callee: "callee", Breakers: breakers, Log: quiet}.withDefaults()).stream
	_, err := intercept(t.Context(), &grpc.StreamDesc{}, nil, "/"+streamMethod,
		func(_ context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			for _, o := range opts {
				if finish, ok := o.(grpc.OnFinishCallOption); ok {
					finish.OnFinish(failed)
				}
			}
			return nil, failed
		})
	if !errors.Is(err, failed) {
		t.Fatal("got", err)
	}
	if got := breakers.of(edge{"callee", streamMethod}).InFlight(); got != 0 {
		t.Errorf("%d calls in flight, want 0", got)
	}
	if got := breakers.Snapshot()[0]; got.State != StateOpen || got.Reason != "a probe failed with UNKNOWN" {
		t.Errorf("got %+v", got)
	}
}

func TestClient_PanicFreesItsSlot(t *testing.T) {
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	func() {
		defer func() { _ = recover() }()
		_ = newClient(ClientConfig{Callee: "callee", Breakers: breakers, Log: quiet}.withDefaults()).unary(t.Context(), "/"+unaryMethod, nil, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { panic("chosen") })
	}()
	if got := breakers.of(edge{"callee", unaryMethod}).InFlight(); got != 0 {
		t.Errorf("%d calls in flight, want 0", got)
	}
}
