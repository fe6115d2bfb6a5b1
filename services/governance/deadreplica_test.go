package governance

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// replica is a server at an address of its own that can be killed, and come back there.
type replica struct {
	address string
	served  atomic.Int64
	holds   atomic.Bool  // its calls get no answer
	held    atomic.Int64 // such calls
	stop    func()
}

// start listens at the replica's address, at any when it has none yet.
func (r *replica) start(t *testing.T) {
	t.Helper()
	address := r.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	must(t, err)
	r.address = l.Addr().String()
	cut := &cutListener{Listener: l}
	s := Server(ServerConfig{Log: quiet})
	testv1.RegisterTestServiceServer(s, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		if r.holds.Load() {
			r.held.Add(1)
			<-ctx.Done()
		}
		r.served.Add(1)
		return &testv1.SimpleResponse{}, nil
	}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(cut) }()
	r.stop = sync.OnceFunc(func() {
		cut.cut()
		s.Stop()
		<-served //nolint:errcheck // it says that its listener was closed
	})
}

// cutListener keeps its connections, to break them.
type cutListener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *cutListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

// cut breaks all at once, as the kernel does for a process that was killed while something was unread: by a reset, without GOAWAY.
func (l *cutListener) cut() {
	_ = l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

// callers call all the time, each one call after the other.
type callers struct {
	clock atomic.Int64 // a tick for each beginning and each end of a call

	mu     sync.Mutex
	failed []failedCall
}

type failedCall struct {
	begun, ended int64 // ticks
	at           string
	err          error
}

func (c *callers) run(ctx context.Context, client testv1.TestServiceClient) {
	for ctx.Err() == nil {
		var at peer.Peer
		begun := c.clock.Add(1)
		_, err := client.UnaryCall(context.WithoutCancel(ctx), &testv1.SimpleRequest{}, grpc.Peer(&at))
		ended := c.clock.Add(1)
		if err != nil {
			where := ""
			if at.Addr != nil {
				where = at.Addr.String()
			}
			c.mu.Lock()
			c.failed = append(c.failed, failedCall{begun, ended, where, err})
			c.mu.Unlock()
		}
	}
}

// TestADeadReplicaGetsNoCalls: of a replica that is killed, those calls fail that were under way there, and none that begins after the first
// failure, though its name still resolves to it. Once it is back, it gets calls again.
func TestADeadReplicaGetsNoCalls(t *testing.T) {
	for balancer, text := range map[string]string{"round robin": "", "least request": "connections: [{leastRequest: true}]"} {
		t.Run(balancer, func(t *testing.T) { killOneOfThree(t, policy(t, text)) })
	}
}

func killOneOfThree(t *testing.T, p *Policy) {
	t.Helper()
	const atOnce = 8
	replicas := []*replica{{}, {}, {}}
	names := manual.NewBuilderWithScheme("replicas")
	var state resolver.State
	for _, r := range replicas {
		r.start(t)
		defer func() { r.stop() }()
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: r.address}}})
	}
	names.InitialState(state)
	conn, err := Dial("replicas:///callee", ClientConfig{Callee: "callee", Policy: p, Log: quiet, Timeout: 10 * time.Second, Options: []grpc.DialOption{grpc.WithResolvers(names)}})
	must(t, err)
	defer conn.Close()

	var c callers
	ctx, stop := context.WithCancel(t.Context())
	var calling sync.WaitGroup
	for range atOnce {
		calling.Go(func() { c.run(ctx, testv1.NewTestServiceClient(conn)) })
	}
	defer calling.Wait()
	defer stop()
	more := func(what string, of ...*replica) {
		t.Helper()
		for _, r := range of {
			before := r.served.Load()
			eventually(t, what, func() bool { return r.served.Load() > before+10 })
		}
	}
	more("each gets calls", replicas...)
	dead := replicas[1]
	dead.holds.Store(true)
	eventually(t, "a call is under way there", func() bool { return dead.held.Load() > 0 })
	dead.stop()
	dead.holds.Store(false)
	more("the others get calls", replicas[0], replicas[2])
	dead.start(t)
	more("each gets calls again", replicas...)
	stop()
	calling.Wait()

	if len(c.failed) == 0 || len(c.failed) > atOnce {
		t.Errorf("%d calls failed, of %d at once", len(c.failed), atOnce)
	}
	first := c.clock.Load()
	for _, f := range c.failed {
		first = min(first, f.ended)
	}
	for _, f := range c.failed {
		if f.begun > first || f.at != dead.address {
			t.Errorf("a call begun at %d, the first having failed at %d, failed at %q: %v", f.begun, first, f.at, f.err)
		}
	}
}
