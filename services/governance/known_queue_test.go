package governance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Reproduces: the client deadline of a policy is a default, not a maximum, and the context of every handler has a deadline (the caller's, or
// the server's 10 s). So client[].deadline.timeout has no effect except in the first hop.
func TestClientDeadline_InsideHandler(t *testing.T) {
	knownfailures.Listed(t)
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

// Reproduces: an INVALID_ARGUMENT with many violations does not fit into the caller's 16 KiB of metadata (the default of this package). The
// server of grpc-go then resets the stream, and the caller's mistake becomes INTERNAL, which opens its breaker for all users.
func TestRefusal_LargerThanTrailer(t *testing.T) {
	knownfailures.Listed(t)
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		if req.GetResponseSize() == 0 {
			return &testv1.SimpleResponse{}, nil
		}
		var list []*errdetails.BadRequest_FieldViolation
		for i := range req.GetResponseSize() {
			list = append(list, &errdetails.BadRequest_FieldViolation{Field: fmt.Sprintf("lines[%d].quantity", i), Description: "value must be greater than 0"})
		}
		return nil, refusal.Fields(list...)
	}}, ServerConfig{}, ClientConfig{Breakers: breakers})
	for _, n := range []int32{10, 100, 200, 300} {
		_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseSize: n})
		t.Logf("%d violations: %s", n, status.Code(err))
	}
	var err error
	for range 20 {
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseSize: 300})
	}
	t.Log("a bad request with 300 bad fields gets:", err)
	_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	t.Log("a good request of another user then gets:", err)
	if err != nil {
		t.Error("bad input of one user opened the breaker for all")
	}
}

// Reproduces: the same with any long text.
func TestStatus_LongMessage(t *testing.T) {
	knownfailures.Listed(t)
	client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		// Percent-encoding makes it three times as long.
		return nil, status.Error(codes.NotFound, string(make([]byte, 6000)))
	}}, ServerConfig{}, ClientConfig{})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	t.Log("NOT_FOUND with 6000 bytes of message arrives as", status.Code(err))
	if status.Code(err) != codes.NotFound {
		t.Error("the code is lost")
	}
}
