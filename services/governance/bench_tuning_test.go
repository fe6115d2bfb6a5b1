package governance

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/benchmark/latency"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// tunings are compared in the README. The first has the defaults of grpc-go.
func tunings() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"windows 64 KiB", "{streamWindowBytes: 65536, connectionWindowBytes: 65536}"},
		{"windows 1 MiB (the default)", "{}"},
		{"stream's window 1 MiB, connection's 64 KiB", "{connectionWindowBytes: 65536}"},
		{"stream's window 64 KiB, connection's 1 MiB", "{streamWindowBytes: 65536}"},
		{"windows 4 MiB", "{streamWindowBytes: 4194304, connectionWindowBytes: 4194304}"},
		{"windows 1 MiB, messages up to 4 MiB", "{maxMessageBytes: 4194304}"},
		{"windows 1 MiB, gzip", "{gzip: true}"},
	}
}

// linked connects client and server over a link with that round trip time.
func linked(b testing.TB, tuning string, roundTrip time.Duration) testv1.TestServiceClient {
	b.Helper()
	p := policyOf(b, "tuning: "+tuning+"\nconnections: [{tuning: "+tuning+"}]")
	pipe := bufconn.Listen(8 << 20)
	network := latency.Network{Latency: roundTrip / 2, MTU: 64 << 10}
	s := Server(ServerConfig{Log: quiet, Policy: p})
	testv1.RegisterTestServiceServer(s, fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return &testv1.SimpleResponse{Payload: req.GetPayload()}, nil
	}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(network.Listener(pipe)) }()
	dial := network.ContextDialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })
	conn, err := Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Log: quiet, Policy: p, Timeout: time.Minute, Options: []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "pipe", address) })}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		<-served //nolint:errcheck // the server was stopped
	})
	return testv1.NewTestServiceClient(conn)
}

// text returns text like that of real services: it compresses well, but not unrealistically well.
func text(n int) []byte {
	var t bytes.Buffer
	for i := 0; t.Len() < n; i++ {
		t.WriteString(`{"userId":"u-` + time.Duration(i*7919).String() + `","name":"somebody"},`)
	}
	return t.Bytes()[:n]
}

// benchTransfer echoes a message of that size. Bytes are counted in both directions.
func benchTransfer(tuning string, roundTrip time.Duration, size int) func(*testing.B) {
	return func(b *testing.B) {
		client, req := linked(b, tuning, roundTrip), &testv1.SimpleRequest{Payload: &testv1.Payload{Body: text(size)}}
		if _, err := client.UnaryCall(context.Background(), req); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(2 * size))
		for b.Loop() {
			if _, err := client.UnaryCall(context.Background(), req); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// tooLarge reports whether a message of that size is refused.
func tooLarge(t *testing.T, tuning string, size int) bool {
	t.Helper()
	_, err := linked(t, tuning, 0).UnaryCall(context.Background(), &testv1.SimpleRequest{Payload: &testv1.Payload{Body: text(size)}})
	if err != nil && status.Code(err) != codes.ResourceExhausted {
		t.Fatal(err)
	}
	return err != nil
}

func BenchmarkTuning(b *testing.B) {
	for _, t := range tunings() {
		for _, trip := range []time.Duration{0, 10 * time.Millisecond} {
			b.Run(t.name+"/small/"+trip.String(), benchTransfer(t.text, trip, 100))
			b.Run(t.name+"/large/"+trip.String(), benchTransfer(t.text, trip, 1<<20))
		}
	}
}

// silent is a connection that can stop without an error, as when a node loses power.
type silent struct {
	net.Conn
	dead *atomic.Bool
	gone chan struct{}
	once sync.Once
}

func (c *silent) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *silent) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.dead.Load() {
		<-c.gone
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *silent) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// deadAfter returns how long a stream on such a connection hangs until its caller gets an error.
func deadAfter(t testing.TB, tuning string) time.Duration {
	t.Helper()
	var dead atomic.Bool
	pipe := bufconn.Listen(1 << 20)
	s := Server(ServerConfig{Log: quiet})
	testv1.RegisterTestServiceServer(s, echo)
	go func() { _ = s.Serve(pipe) }()
	defer s.Stop()
	conn, err := Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, "connections: [{tuning: "+tuning+"}]"),
		Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			c, err := pipe.DialContext(ctx)
			return &silent{Conn: c, dead: &dead, gone: make(chan struct{})}, err
		})}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := testv1.NewTestServiceClient(conn).FullDuplexCall(context.Background())
	if err == nil {
		err = stream.Send(&testv1.StreamingOutputCallRequest{})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	dead.Store(true)
	start := time.Now()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Error("the stream ended with", err)
	}
	return time.Since(start)
}
