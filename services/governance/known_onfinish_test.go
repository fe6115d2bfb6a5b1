package governance

// Run with -race. Reproduces: clientCall.open does append(opts, grpc.OnFinish(c.end)) on a slice that it does not own. When a stream is opened
// through the connection itself without options (a proxy, a dynamic client: conn.NewStream(ctx, desc, method)), grpc-go hands interceptors
// cc.dopts.callOptions, shared by all streams; with one more grpc.WithDefaultCallOptions in ClientConfig.Options it has room to spare. Two streams then
// write their OnFinish into the same place: one of them never ends for us: its place under maxConcurrent, its span and its metrics are lost.

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func TestOnFinish_SharedCallOptions(t *testing.T) {
	knownfailures.Listed(t)
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
	time.Sleep(50 * time.Millisecond)
	left := breakers.of(edge{"x", streamMethod}).inFlight.Load()
	t.Logf("4000 streams have ended; the breaker thinks that %d are in flight", left)
	if left != 0 {
		t.Error("these places are lost for ever")
	}
}
