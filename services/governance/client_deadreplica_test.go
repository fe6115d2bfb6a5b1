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

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// replica is a server that can be killed, and restarted at the same address.
type replica struct {
	address string
	served  atomic.Int64
	// While holds is true, calls are not answered.
	holds atomic.Bool
	// held counts such calls.
	held atomic.Int64
	stop func()
}

// start listens at the replica's address, which the first start chooses.
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
		<-served //nolint:errcheck // the error is that the listener was closed
	})
}

// cutListener remembers its connections, to break them.
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

// cut breaks all connections with a reset and without GOAWAY, as the kernel does when it kills a process with unread data.
func (l *cutListener) cut() {
	_ = l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

// callers make calls in a loop, each one after the previous has ended.
type callers struct {
	// clock ticks at the start and the end of each call.
	clock atomic.Int64

	mu     sync.Mutex
	failed []failedCall
}

type failedCall struct {
	// started and ended are ticks.
	started, ended int64
	at             string
	err            error
}

func (c *callers) run(ctx context.Context, client testv1.TestServiceClient) {
	for ctx.Err() == nil {
		var at peer.Peer
		started := c.clock.Add(1)
		_, err := client.UnaryCall(context.WithoutCancel(ctx), &testv1.SimpleRequest{}, grpc.Peer(&at))
		ended := c.clock.Add(1)
		if err != nil {
			where := ""
			if at.Addr != nil {
				where = at.Addr.String()
			}
			c.mu.Lock()
			c.failed = append(c.failed, failedCall{started, ended, where, err})
			c.mu.Unlock()
		}
	}
}

// TestDial_DeadReplicaGetsNoCalls kills a replica. Only the calls in flight there may fail: after the first failure the replica gets no
// calls, although its name still resolves to it, until it is back.
func TestDial_DeadReplicaGetsNoCalls(t *testing.T) {
	for balancer, text := range map[string]string{"round robin": "", "least request": "connections: [{leastRequest: true}]"} {
		t.Run(balancer, func(t *testing.T) { killOneOfThree(t, policyOf(t, text)) })
	}
}

func killOneOfThree(t *testing.T, p *policy.Policy) {
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
	conn, err := Dial("replicas:///callee", ClientConfig{Callee: "callee", Policy: p, Log: quiet, Timeout: 10 * time.Second, Resolvers: []resolver.Builder{names}})
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
		t.Errorf("%d calls failed, of %d in flight", len(c.failed), atOnce)
	}
	first := c.clock.Load()
	for _, f := range c.failed {
		first = min(first, f.ended)
	}
	for _, f := range c.failed {
		if f.started > first || f.at != dead.address {
			t.Errorf("a call that started at %d, after the first failure at %d, failed at %q: %v", f.started, first, f.at, f.err)
		}
	}
}
