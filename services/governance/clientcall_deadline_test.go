package governance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// TestClientDeadline_InsideHandler checks that the deadline of a policy is a maximum, also in a handler, whose context always has a deadline.
func TestClientDeadline_InsideHandler(t *testing.T) {
	hung := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, "client: [{deadline: {timeout: 100ms}}]")})
	// Buffered, because the caller may have left before the second hop ends.
	measured := make(chan time.Duration, 1)
	front := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		start := time.Now()
		_, err := hung.UnaryCall(ctx, &testv1.SimpleRequest{})
		measured <- time.Since(start)
		return &testv1.SimpleResponse{}, err
	}}, ServerConfig{}, ClientConfig{Timeout: 3 * time.Second})
	_, _ = front.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	took := <-measured
	t.Logf("policy of the second hop: 100ms; it took %s", took.Round(10*time.Millisecond))
	if took > 500*time.Millisecond {
		t.Error("the policy's time-out has no effect")
	}
}

// TestBreaker_ShortDeadlines checks that a deadline far below the method's time-out says nothing about the callee.
func TestBreaker_ShortDeadlines(t *testing.T) {
	const none = "client: [{deadline: {none: true}}]"
	for _, c := range []struct {
		deadline     time.Duration
		policy, want string
	}{
		{200 * time.Millisecond, "", StateClosed},
		{500 * time.Millisecond, "", StateOpen},
		// The default takes the place of the deadline that the method does not have.
		{200 * time.Millisecond, none, StateClosed},
		{500 * time.Millisecond, none, StateOpen},
	} {
		synctest.Test(t, func(t *testing.T) {
			breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
			client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, ServerConfig{}, ClientConfig{Timeout: time.Second, Policy: policyOf(t, c.policy), Breakers: breakers})
			for range 20 {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
					defer cancel()
					_, _ = client.UnaryCall(ctx, &testv1.SimpleRequest{})
				}()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := breakers.Snapshot()[0].State; got != c.want {
				t.Errorf("after 20 calls that missed a deadline of %s with the policy %q the breaker is %s, want %s", c.deadline, c.policy, got, c.want)
			}
		})
	}
}

// TestBreaker_StreamDeadlines checks that the end of a stream's time says nothing about the callee if the deadline was far below the method's, or
// the callee has answered.
func TestBreaker_StreamDeadlines(t *testing.T) {
	silent := func(s duplex) error { <-s.Context().Done(); return s.Context().Err() }
	for _, c := range []struct {
		sentence string
		serve    func(duplex) error
		deadline time.Duration
		policy   string
		want     string
	}{
		{"answered, and cut far below the default", live, 30 * time.Millisecond, "", StateClosed},
		{"silent, and cut far below the default", silent, 30 * time.Millisecond, "", StateClosed},
		{"answered, and cut where the method has no deadline", live, 30 * time.Millisecond, "client: [{deadline: {streamNone: true}}]", StateClosed},
		{"silent, and cut where the method has no deadline", silent, 30 * time.Millisecond, "client: [{deadline: {streamNone: true}}]", StateClosed},
		{"answered, until the method's deadline", live, time.Minute, "client: [{deadline: {streamTimeout: 1s}}]", StateClosed},
		{"silent, until the method's deadline", silent, time.Minute, "client: [{deadline: {streamTimeout: 1s}}]", StateOpen},
		{"answered, until a deadline near the method's", live, 500 * time.Millisecond, "client: [{deadline: {streamTimeout: 1s}}]", StateClosed},
		{"silent, until a deadline near the method's", silent, 500 * time.Millisecond, "client: [{deadline: {streamTimeout: 1s}}]", StateOpen},
		{"answered, and ended early by the callee", func(s duplex) error {
			_ = s.Send(&testv1.StreamingOutputCallResponse{})
			return status.Error(codes.DeadlineExceeded, "a callee of the callee is slow")
		}, time.Minute, "client: [{deadline: {streamTimeout: 1s}}]", StateOpen},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
				client := wire(t, fake{stream: c.serve}, ServerConfig{}, ClientConfig{Policy: policyOf(t, c.policy), Breakers: breakers})
				for range 30 {
					go func() {
						ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
						defer cancel()
						s, err := client.FullDuplexCall(ctx)
						for err == nil {
							_, err = s.Recv()
						}
					}()
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := breakers.Snapshot()[0]; got.State != c.want {
					t.Errorf("after 30 streams the breaker is %s, want %s: %s", got.State, c.want, got.Reason)
				}
			})
		})
	}
}
