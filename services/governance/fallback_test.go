package governance

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
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

func TestFallback_CalleeFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   codes.Code
		text   string
		answer func(context.Context, *testv1.SimpleRequest, error) (*testv1.SimpleResponse, error)
		want   codes.Code
		says   string
	}{
		{"it failed", codes.Unavailable, "", cached, codes.OK, "from the cache"},
		{"the callee answers", codes.OK, "", cached, codes.OK, "from the callee"},
		{"the callee refuses the request", codes.NotFound, "", cached, codes.NotFound, ""},
		{"the policy disables fallbacks", codes.Unavailable, "client: [{fallback: {disabled: true}}]", cached, codes.Unavailable, ""},
		{"the fallback fails too", codes.Unavailable, "", func(context.Context, *testv1.SimpleRequest, error) (*testv1.SimpleResponse, error) {
			return nil, errors.New("the cache is cold")
		}, codes.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			metrics := NewMetrics()
			client := wire(t, failing(c.code), ServerConfig{}, ClientConfig{Callee: "users", Metrics: metrics, Policy: policyOf(t, c.text),
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
			// The metrics of calls report what the callee did, not the fallback.
			if got := metric(t, metrics, "grpc_client_handled_total", "grpc_code", c.code.String()); got != 1 {
				t.Errorf("%v calls counted as %s", got, c.code)
			}
		})
	}
}

// TestFallback_MarksTheAnswerOfTheCaller checks that an order for which a cached user was used says so to the caller who placed it.
func TestFallback_MarksTheAnswerOfTheCaller(t *testing.T) {
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
