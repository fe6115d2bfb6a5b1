package governance

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// TestOnFinish_SharedCallOptions checks, under the race detector, that streams opened on the connection itself do not write into the options that all of
// them share. One that lost its callback would hold its place, its span and its metrics forever.
func TestOnFinish_SharedCallOptions(t *testing.T) {
	addr := tcp(t, fake{stream: func(s duplex) error { return nil }}, ServerConfig{})
	breakers := NewBreakers("c", BreakerConfig{MaxConcurrent: 1 << 20}, nil, nil)
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "x", Breakers: breakers, Log: quiet,
		Options: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.WaitForReady(false))}})
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+streamMethod)
				if err != nil {
					t.Error(err)
					return
				}
				for s.RecvMsg(&testv1.StreamingOutputCallResponse{}) == nil {
				}
			}
		})
	}
	all.Wait()
	inFlight := breakers.of(edge{"x", streamMethod}).InFlight
	pollFor(50*time.Millisecond, func() bool { return inFlight() == 0 })
	left := inFlight()
	t.Logf("4000 streams have ended; the breaker counts %d in flight", left)
	if left != 0 {
		t.Error("these slots are never freed")
	}
}

// TestOnFinish_OncePerCall checks that a callback of the caller is called once, with the outcome of the call, however many attempts there were.
func TestOnFinish_OncePerCall(t *testing.T) {
	const hedged = "client: [{hedge: {idempotent: true, delay: 30ms}}]"
	for _, c := range []struct {
		sentence, policy string
		fails            int64
		want             codes.Code
	}{
		{"one attempt", retried, 0, codes.OK},
		{"the third attempt succeeds", retried, 2, codes.OK},
		{"every attempt fails", retried, 3, codes.Unavailable},
		{"without retries", "", 1, codes.Unavailable},
		{"hedged", hedged, 0, codes.OK},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{code: codes.Unavailable}
				f.fails.Store(c.fails)
				client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Policy: policyOf(t, c.policy)})
				var got []codes.Code
				_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}, grpc.OnFinish(func(err error) { got = append(got, status.Code(err)) }))
				if status.Code(err) != c.want || !slices.Equal(got, []codes.Code{c.want}) {
					t.Errorf("the call ended with %v and the callback got %v, want %s once", err, got, c.want)
				}
			})
		})
	}
}
