package governance

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse+m.StackInuse) / (1 << 20)
}

// One connection with streams whose handler does not read: the server buffers a window for each stream. There is no MaxConcurrentStreams, and
// windows are 1 MiB.
func TestMemory_UnreadStreams(t *testing.T) {
	knownfailures.Measure(t)
	const streams = 200
	for _, c := range []struct {
		name   string
		server func() *grpc.Server
	}{
		{"grpc-go's defaults", func() *grpc.Server { return grpc.NewServer() }},
		{"governance's defaults", func() *grpc.Server { return Server(ServerConfig{Log: quiet}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			s := c.server()
			stop := make(chan struct{})
			testv1.RegisterTestServiceServer(s, fake{stream: func(d duplex) error { <-stop; return nil }})
			done := make(chan struct{})
			go func() { defer close(done); _ = s.Serve(l) }()
			// The client does not use this package, so its own windows do not matter.
			conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			must(t, err)
			before := heap()
			ctx, cancel := context.WithCancel(t.Context())
			var sent atomic.Int64
			var all sync.WaitGroup
			body := &testv1.StreamingOutputCallRequest{Payload: &testv1.Payload{Body: make([]byte, 32<<10)}}
			for range streams {
				st, err := testv1.NewTestServiceClient(conn).FullDuplexCall(ctx)
				must(t, err)
				all.Go(func() {
					for st.Send(body) == nil {
						sent.Add(32 << 10)
					}
				})
			}
			// Sending has stopped when nothing was sent for a second.
			last, quiet := int64(-1), 0
			pollFor(10*time.Second, func() bool {
				if now := sent.Load(); now != last {
					last, quiet = now, 0
				}
				quiet++
				return quiet > 1000
			})
			t.Logf("one connection, %d streams without a reader: %d MiB sent, heap of both ends +%.0f MiB", streams, sent.Load()>>20, heap()-before)
			cancel()
			close(stop)
			all.Wait()
			_ = conn.Close()
			s.Stop()
			<-done
		})
	}
}

// Idle connections.
func TestMemory_IdleConnections(t *testing.T) {
	knownfailures.Measure(t)
	const conns = 500
	for _, c := range []struct {
		name   string
		server func() *grpc.Server
	}{
		{"grpc-go's defaults", func() *grpc.Server { return grpc.NewServer() }},
		{"governance's defaults", func() *grpc.Server { return Server(ServerConfig{Log: quiet}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, stop := serveTest(t, c.server())
			var raw []*grpc.ClientConn
			before := heap()
			for range conns {
				conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
				must(t, err)
				_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
				must(t, err)
				raw = append(raw, conn)
			}
			t.Logf("%d connections: %.0f KiB each, both ends together", conns, (heap()-before)*1024/conns)
			for _, conn := range raw {
				_ = conn.Close()
			}
			stop()
		})
	}
}

func serveTest(t *testing.T, s *grpc.Server) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	testv1.RegisterTestServiceServer(s, fake{})
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	return l.Addr().String(), func() { s.Stop(); <-done }
}
