package governance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// garbage is a codec whose messages are not protobuf.
type garbage struct{}

func (garbage) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer("\xff\xff\xff\xff")}, nil
}
func (garbage) Unmarshal(mem.BufferSlice, any) error { return nil }
func (garbage) Name() string                         { return "proto" }

// stranger returns a client that does not use this package.
func stranger(t *testing.T, server ServerConfig, options ...grpc.DialOption) testv1.TestServiceClient {
	t.Helper()
	server.Log = quiet
	s, pipe := Server(server), bufconn.Listen(1<<20)
	testv1.RegisterTestServiceServer(s, fake{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })}, options...)...)
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		must(t, <-served)
	})
	return testv1.NewTestServiceClient(conn)
}

func body(n int) *testv1.SimpleRequest {
	return &testv1.SimpleRequest{Payload: &testv1.Payload{Body: make([]byte, n)}}
}

func TestServer_BadInput(t *testing.T) {
	small := policyOf(t, "tuning: {maxMessageBytes: 100000, maxMetadataBytes: 4096}")
	bomb := metadata.AppendToOutgoingContext(t.Context(), "x-bomb", strings.Repeat("b", 5000))
	many := t.Context()
	for range 200 {
		many = metadata.AppendToOutgoingContext(many, "x-bomb", strings.Repeat("b", 50))
	}
	for _, c := range []struct {
		name string
		ctx  context.Context
		req  *testv1.SimpleRequest
		opts []grpc.CallOption
		want codes.Code
	}{
		{"a malformed message", t.Context(), body(1), []grpc.CallOption{grpc.ForceCodecV2(garbage{})}, codes.Internal},
		{"a message that is too large", t.Context(), body(100001), nil, codes.ResourceExhausted},
		{"a message that is too large after decompression", t.Context(), body(10 << 20), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.ResourceExhausted},
		{"one large metadata value", bomb, body(1), nil, codes.Internal},
		{"many metadata values", many, body(1), nil, codes.Internal},
		{"metadata with an invalid name", metadata.AppendToOutgoingContext(t.Context(), "x bad", "y"), body(1), nil, codes.Internal},
		{"an unknown method", t.Context(), nil, nil, codes.Unimplemented},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := stranger(t, ServerConfig{Policy: small})
			ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
			defer cancel()
			var err error
			if c.req == nil {
				_, err = client.UnimplementedCall(ctx, &testv1.Empty{})
			} else {
				_, err = client.UnaryCall(ctx, c.req, c.opts...)
			}
			if status.Code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := client.UnaryCall(t.Context(), body(1)); err != nil {
				t.Error("the next call:", err)
			}
		})
	}
}

func TestHandlerContextErrors_KeepTheirCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want codes.Code
	}{
		"a deadline of the handler's own": {context.DeadlineExceeded, codes.DeadlineExceeded},
		"a context that was cancelled":    {context.Canceled, codes.Canceled},
	} {
		for _, streaming := range []bool{false, true} {
			client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) { return nil, c.err },
				stream: func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
					return c.err
				}}, ServerConfig{}, ClientConfig{})
			var err error
			if streaming {
				s, openErr := client.FullDuplexCall(t.Context())
				must(t, openErr)
				_, err = s.Recv()
			} else {
				_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			}
			if status.Code(err) != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
	}
}

// A status that does not fit into the metadata that a client accepts would arrive as INTERNAL, and bad input of one user would open the breaker
// for all.
func TestServer_LargeStatus(t *testing.T) {
	violations := func(n int32) error {
		var list []*errdetails.BadRequest_FieldViolation
		for i := range n {
			list = append(list, &errdetails.BadRequest_FieldViolation{Field: fmt.Sprintf("lines[%d].quantity", i), Description: "value must be greater than 0"})
		}
		return refusal.Fields(list...)
	}
	for _, c := range []struct {
		sentence, policy string
		err              error
		code             codes.Code
	}{
		{"many violations", "", violations(300), codes.InvalidArgument},
		{"a long message with percent encoding", "", status.Error(codes.NotFound, string(make([]byte, 6000))), codes.NotFound},
		{"a long error of a database", "", errors.New(strings.Repeat("pq: ", 10000)), codes.Unknown},
		{"many violations for a client that accepts little", "tuning: {maxMetadataBytes: 1024}\nconnections: [{tuning: {maxMetadataBytes: 1024}}]", violations(300), codes.InvalidArgument},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			p := policyOf(t, c.policy)
			answers := fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) { return nil, c.err },
				stream: func(duplex) error { return c.err }}
			client := wire(t, answers, ServerConfig{Policy: p}, ClientConfig{Policy: p})
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			if status.Code(err) != c.code {
				t.Error("unary:", status.Code(err))
			}
			if c.code == codes.InvalidArgument && len(detail[*errdetails.BadRequest](err).GetFieldViolations()) == 0 {
				t.Error("the caller gets no violation")
			}
			stream, err := client.FullDuplexCall(t.Context())
			must(t, err)
			if _, err := stream.Recv(); status.Code(err) != c.code {
				t.Error("stream:", status.Code(err))
			}
		})
	}
}

func TestBreaker_LargeBadInput(t *testing.T) {
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return nil, refusal.Field("name", strings.Repeat("ä", 10000))
	}}, ServerConfig{}, ClientConfig{Breakers: breakers})
	for range 50 {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	if got := breakers.Snapshot()[0]; got.State != StateClosed {
		t.Error("bad input opened the breaker:", got.State, got.Reason)
	}
}
