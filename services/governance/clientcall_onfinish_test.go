package governance

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
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
