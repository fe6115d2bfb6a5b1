package governance

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func cached(_ context.Context, _ *testv1.SimpleRequest, _ error) (*testv1.SimpleResponse, error) {
	return &testv1.SimpleResponse{Username: "from the cache"}, nil
}

func failing(code codes.Code) fake {
	return fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return &testv1.SimpleResponse{Username: "from the callee"}, status.Error(code, "chosen")
	}, stream: func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
		return status.Error(code, "chosen")
	}}
}

func TestAFallbackAnswersForACalleeThatFailed(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   codes.Code
		text   string
		answer func(context.Context, *testv1.SimpleRequest, error) (*testv1.SimpleResponse, error)
		want   codes.Code
		says   string
	}{
		{"it failed", codes.Unavailable, "", cached, codes.OK, "from the cache"},
		{"it did not", codes.OK, "", cached, codes.OK, "from the callee"},
		{"it said no", codes.NotFound, "", cached, codes.NotFound, ""},
		{"the policy does not want it", codes.Unavailable, "client: [{fallback: {disabled: true}}]", cached, codes.Unavailable, ""},
		{"the fallback fails too", codes.Unavailable, "", func(context.Context, *testv1.SimpleRequest, error) (*testv1.SimpleResponse, error) {
			return nil, errors.New("the cache is cold")
		}, codes.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			metrics := NewMetrics()
			client := wire(t, failing(c.code), ServerConfig{}, ClientConfig{Callee: "users", Metrics: metrics, Policy: policy(t, c.text),
				Fallbacks: []Fallback{FallbackTo(unaryMethod, c.answer)}})
			var header metadata.MD
			reply, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}, grpc.Header(&header))
			if status.Code(err) != c.want || reply.GetUsername() != c.says {
				t.Errorf("got %v, %v", reply, err)
			}
			var want []string
			if c.says == "from the cache" {
				want = []string{"users/" + unaryMethod + " UNAVAILABLE"}
			}
			if got := header.Get(FallbackHeader); len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
				t.Errorf("marked %q, want %q", got, want)
			}
			if got := metric(t, metrics, "sandbox_fallbacks_total", "callee", "users", "code", "UNAVAILABLE"); got != float64(len(want)) {
				t.Errorf("%v counted", got)
			}
			// The metrics of calls tell what the callee did, not what was made of it.
			if got := metric(t, metrics, "grpc_client_handled_total", "grpc_code", c.code.String()); got != 1 {
				t.Errorf("%v calls counted as %s", got, c.code)
			}
		})
	}
}

// An order that is answered with a user from the cache says so to whoever asked for the order.
func TestAFallbackMarksTheAnswerOfTheServiceThatUsedIt(t *testing.T) {
	people := wire(t, failing(codes.Unavailable), ServerConfig{}, ClientConfig{Callee: "users", Fallbacks: []Fallback{FallbackTo(unaryMethod, cached)}})
	shop := wire(t, fake{unary: func(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return people.UnaryCall(ctx, req)
	}}, ServerConfig{}, ClientConfig{Callee: "orders"})
	var header metadata.MD
	reply, err := shop.UnaryCall(t.Context(), &testv1.SimpleRequest{}, grpc.Header(&header))
	if err != nil || reply.GetUsername() != "from the cache" {
		t.Fatal(reply, err)
	}
	if got := header.Get(FallbackHeader); len(got) != 1 || got[0] != "users/"+unaryMethod+" UNAVAILABLE" {
		t.Errorf("marked %q", got)
	}
}

func TestAStreamThatCannotOpenFallsBack(t *testing.T) {
	breakers := NewBreakers("c", BreakerConfig{MinCalls: 1, FailureRatio: 1}, nil, nil)
	client := wire(t, failing(codes.Unavailable), ServerConfig{}, ClientConfig{Callee: "users", Breakers: breakers, Fallbacks: []Fallback{
		FallbackToStream("/"+streamMethod, func(_ context.Context, cause error) ([]*testv1.StreamingOutputCallResponse, error) {
			if refusal.Reason(cause) != ReasonBreakerOpen {
				t.Error("the cause is", cause)
			}
			return []*testv1.StreamingOutputCallResponse{{Payload: &testv1.Payload{Body: []byte("1")}}, {Payload: &testv1.Payload{Body: []byte("2")}}}, nil
		})}})
	open := func() grpc.BidiStreamingClient[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse] {
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		return s
	}
	if _, err := open().Recv(); status.Code(err) != codes.Unavailable {
		t.Error("a stream that breaks later breaks:", err)
	}
	eventually(t, "the breaker is open", func() bool { return breakers.Snapshot()[0].State == StateOpen })
	s := open()
	must(t, s.Send(&testv1.StreamingOutputCallRequest{}))
	must(t, s.CloseSend())
	header, _ := s.Header()
	if got := header.Get(FallbackHeader); len(got) != 1 || got[0] != "users/"+streamMethod+" UNAVAILABLE" {
		t.Errorf("marked %q", got)
	}
	for _, want := range []string{"1", "2"} {
		if m, err := s.Recv(); err != nil || string(m.GetPayload().GetBody()) != want {
			t.Errorf("got %v, %v", m, err)
		}
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Error("the end is", err)
	}
}
