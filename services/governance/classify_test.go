package governance

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
)

// TestClassify_Breaker checks what one answer counts as, and that it is counted in the metric if the policy decided.
func TestClassify_Breaker(t *testing.T) {
	const notFoundFails, internalIgnored = "client: [{classify: {failures: [NOT_FOUND]}}]", "client: [{classify: {ignored: [INTERNAL]}}]"
	for _, c := range []struct {
		sentence, policy string
		code             codes.Code
		took             time.Duration
		ok, failed       uint32
		class            string
	}{
		{"NOT_FOUND by default", "", codes.NotFound, 0, 1, 0, ""},
		{"NOT_FOUND made a failure", notFoundFails, codes.NotFound, 0, 0, 1, "failure"},
		{"NOT_FOUND of another method", "client: [{method: a.B/Other, classify: {failures: [NOT_FOUND]}}]", codes.NotFound, 0, 1, 0, ""},
		{"NOT_FOUND under a later rule without the list", notFoundFails[:len(notFoundFails)-1] + ", {method: a.B/C, classify: {}}]", codes.NotFound, 0, 1, 0, ""},
		{"a code that the policy does not name", notFoundFails, codes.Internal, 0, 0, 1, ""},
		{"INTERNAL by default", "", codes.Internal, 0, 0, 1, ""},
		{"INTERNAL ignored", internalIgnored, codes.Internal, 0, 0, 0, "ignored"},
		{"INTERNAL made a success", "client: [{classify: {successes: [INTERNAL]}}]", codes.Internal, 0, 1, 0, "success"},
		{"CANCELLED by the callee, by default", "", codes.Canceled, 0, 0, 1, ""},
		{"CANCELLED by the callee, ignored", "client: [{classify: {ignored: [CANCELLED]}}]", codes.Canceled, 0, 0, 0, "ignored"},
		{"a late answer by default", "", codes.OK, 2 * time.Second, 0, 1, ""},
		{"a late answer if DEADLINE_EXCEEDED is ignored", "client: [{classify: {ignored: [DEADLINE_EXCEEDED]}}]", codes.OK, 2 * time.Second, 1, 0, ""},
		{"a code outside of the protocol", notFoundFails, 99, 0, 1, 0, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				metrics := NewMetrics()
				breakers := NewBreakers("c", BreakerConfig{}, metrics, nil)
				client := newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, c.policy), Breakers: breakers, Metrics: metrics}.withDefaults())
				ctx, done := context.WithTimeout(t.Context(), time.Minute)
				defer done()
				_ = client.unary(ctx, "/a.B/C", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
					time.Sleep(c.took)
					return status.Error(c.code, "chosen")
				})
				if ok, failed := breakers.of(edge{"callee", "a.B/C"}).Counts(); ok != c.ok || failed != c.failed {
					t.Errorf("%d successes and %d failures, want %d and %d", ok, failed, c.ok, c.failed)
				}
				all, want := metric(t, metrics, "sandbox_classified_total"), 0.0
				if c.class != "" {
					want = 1
					if got := metric(t, metrics, "sandbox_classified_total", "callee", "callee", "method", "a.B/C", "code", rpccode.Name(c.code), "class", c.class); got != 1 {
						t.Errorf("%v calls counted as %s", got, c.class)
					}
				}
				if all != want {
					t.Errorf("%v calls classified, want %v", all, want)
				}
			})
		})
	}
}

// TestClassify_Ejection checks whether a replica that answers each call with one code is ejected.
func TestClassify_Ejection(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		code             codes.Code
		ejections        float64
	}{
		{"NOT_FOUND by default", "", codes.NotFound, 0},
		{"NOT_FOUND made a failure", "client: [{classify: {failures: [NOT_FOUND]}}]", codes.NotFound, 1},
		{"INTERNAL by default", "", codes.Internal, 1},
		{"INTERNAL ignored", "client: [{classify: {ignored: [INTERNAL]}}]", codes.Internal, 0},
		{"overload by default", "", codes.ResourceExhausted, 0},
		{"overload made a failure by name", "client: [{classify: {failures: [RESOURCE_EXHAUSTED]}}]", codes.ResourceExhausted, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				callee := newReplicated(t, 3, func(_ context.Context, i int) error {
					if i == 1 {
						return status.Error(c.code, "chosen")
					}
					return nil
				})
				metrics := NewMetrics()
				client := callee.dial(t, ClientConfig{Metrics: metrics, Policy: policyOf(t, c.policy), Breakers: neverOpen()})
				// Connect to every replica first.
				_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				synctest.Wait()
				for range 60 {
					_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				}
				if got := metric(t, metrics, "sandbox_outlier_ejections_total"); got != c.ejections {
					t.Errorf("%v ejections, want %v", got, c.ejections)
				}
			})
		})
	}
}

// TestClassify_Hedge checks that an answer that counts as a failure does not end the call while another attempt may still succeed.
func TestClassify_Hedge(t *testing.T) {
	const hedged = "hedge: {idempotent: true, delay: 10ms}"
	for _, c := range []struct {
		sentence, policy string
		want             codes.Code
	}{
		{"NOT_FOUND by default", "client: [{" + hedged + "}]", codes.NotFound},
		{"NOT_FOUND made a failure", "client: [{" + hedged + ", classify: {failures: [NOT_FOUND]}}]", codes.OK},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var served atomic.Int64
				client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
					if served.Add(1) == 1 {
						_ = pause.For(ctx, 20*time.Millisecond)
						return nil, status.Error(codes.NotFound, "not replicated yet")
					}
					return &testv1.SimpleResponse{}, pause.For(ctx, 50*time.Millisecond)
				}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, c.policy)})
				if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
			})
		})
	}
}

func TestClassify_Fallback(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		code             codes.Code
		answered         bool
	}{
		{"NOT_FOUND made a failure", "client: [{classify: {failures: [NOT_FOUND]}}]", codes.NotFound, true},
		{"NOT_FOUND ignored", "client: [{classify: {ignored: [NOT_FOUND]}}]", codes.NotFound, false},
		{"INTERNAL ignored", "client: [{classify: {ignored: [INTERNAL]}}]", codes.Internal, true},
		{"INTERNAL made a success", "client: [{classify: {successes: [INTERNAL]}}]", codes.Internal, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			client := wire(t, failing(c.code), ServerConfig{}, ClientConfig{Policy: policyOf(t, c.policy), Fallbacks: []Fallback{FallbackTo(unaryMethod, cached)}})
			if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); (err == nil) != c.answered {
				t.Errorf("got %v, answered by the fallback: want %v", err, c.answered)
			}
		})
	}
}
