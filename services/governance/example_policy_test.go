package governance_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// users is a service that is unavailable.
type users struct {
	testv1.UnimplementedTestServiceServer
}

func (users) UnaryCall(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	return nil, status.Error(codes.Unavailable, "the database is unavailable")
}

// inMemory serves users, and returns a dialer for it.
func inMemory(p *policy.Policy) (dialer grpc.DialOption, stop func()) {
	pipe := bufconn.Listen(1 << 20)
	s := governance.Server(governance.ServerConfig{Policy: p, Log: governance.NewLog(nowhere{}, nil)})
	testv1.RegisterTestServiceServer(s, users{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }), func() {
		s.Stop()
		<-served //nolint:errcheck // the server was stopped
	}
}

// An order can be accepted while the user's profile comes from a cache; a header of the answer says so.
func ExampleFallbackTo() {
	dialer, stop := inMemory(nil)
	defer stop()
	cached := governance.FallbackTo("grpc.testing.TestService/UnaryCall",
		func(_ context.Context, _ *testv1.SimpleRequest, cause error) (*testv1.SimpleResponse, error) {
			return &testv1.SimpleResponse{Username: "Ada, as of yesterday"}, nil
		})
	quiet := governance.NewLog(nowhere{}, nil)
	conn, err := governance.Dial("passthrough:///users", governance.ClientConfig{Callee: "userservice", Log: quiet,
		Fallbacks: []governance.Fallback{cached}, Options: []grpc.DialOption{dialer}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	var header metadata.MD
	answer, err := testv1.NewTestServiceClient(conn).UnaryCall(context.Background(), &testv1.SimpleRequest{}, grpc.Header(&header))
	fmt.Println(answer.GetUsername(), err)
	fmt.Println(header.Get(governance.FallbackHeader))
	// Output:
	// Ada, as of yesterday <nil>
	// [userservice/grpc.testing.TestService/UnaryCall UNAVAILABLE]
}

// A refusal has a reason, and the delay after which another attempt can succeed.
func ExampleRetryDelay() {
	text, err := policy.Parse([]byte("server: [{rate: {limits: [{tokenBucket: {rate: 0.001, burst: 1}}]}}]"))
	if err != nil {
		fmt.Println(err)
		return
	}
	limited, err := policy.New(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	dialer, stop := inMemory(limited)
	defer stop()
	conn, err := governance.Dial("passthrough:///users", governance.ClientConfig{Callee: "userservice", Log: governance.NewLog(nowhere{}, nil),
		Options: []grpc.DialOption{dialer}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	_, _ = client.UnaryCall(context.Background(), &testv1.SimpleRequest{})
	_, err = client.UnaryCall(context.Background(), &testv1.SimpleRequest{})
	after, _ := refusal.RetryDelay(err)
	fmt.Println(status.Code(err), refusal.Reason(err), after.Minutes() > 16)
	// Output: ResourceExhausted RATE_LIMITED true
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
