package governance

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// Reproduces: one bad replica of three. There is one breaker per callee and method and no outlier detection. A third of the calls fails,
// which is more than 25 %, so the breaker also refuses the two healthy replicas: availability is worse with the breaker than without it.
func TestBreaker_OneBadReplicaOfThree(t *testing.T) {
	knownfailures.Listed(t)
	// Percent, by case.
	succeeded := map[string]float64{}
	for _, c := range []struct {
		name, text string
		hang       bool
		breaker    bool
	}{
		{"fails immediately, no breaker", "", false, false},
		{"fails immediately, breaker", "", false, true},
		{"fails immediately, breaker, least request", "connections: [{leastRequest: true}]", false, true},
		{"fails immediately, no breaker, least request", "connections: [{leastRequest: true}]", false, false},
		{"hangs, breaker", "", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			names := manual.NewBuilderWithScheme("three")
			var state resolver.State
			var served [3]atomic.Int64
			for i := range 3 {
				addr := tcp(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
					served[i].Add(1)
					if i == 1 && c.hang {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					if i == 1 {
						return nil, status.Error(codes.Unavailable, "this replica lost its database")
					}
					return &testv1.SimpleResponse{}, pause.For(ctx, 2*time.Millisecond)
				}}, ServerConfig{})
				state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
			}
			names.InitialState(state)
			cfg := ClientConfig{Callee: "callee", Policy: policyOf(t, c.text), Log: quiet, Timeout: 200 * time.Millisecond, Resolvers: []resolver.Builder{names}}
			if c.breaker {
				// A fifth of the defaults, to be quick.
				cfg.Breakers = NewBreakers("c", BreakerConfig{Window: 2 * time.Second, Open: time.Second}, nil, nil)
			}
			conn, err := Dial("three:///callee", cfg)
			must(t, err)
			defer conn.Close()
			client := testv1.NewTestServiceClient(conn)
			var ok, all atomic.Int64
			var calls sync.WaitGroup
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for start := time.Now(); time.Since(start) < 6*time.Second; <-tick.C {
				calls.Go(func() {
					all.Add(1)
					if _, err := client.UnaryCall(context.Background(), &testv1.SimpleRequest{}); err == nil {
						ok.Add(1)
					}
				})
			}
			calls.Wait()
			succeeded[c.name] = 100 * float64(ok.Load()) / float64(all.Load())
			t.Logf("%.0f %% of %d calls succeed; the replicas were asked %d, %d (bad), %d times", 100*float64(ok.Load())/float64(all.Load()), all.Load(),
				served[0].Load(), served[1].Load(), served[2].Load())
		})
	}
	if with, without := succeeded["fails at once, breaker"], succeeded["fails at once, no breaker"]; with < without-10 {
		t.Errorf("%.0f %% succeed with the breaker, %.0f %% without", with, without)
	}
}
