package governance

import (
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/serviceconfig"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// countConn counts updates.
type countConn struct {
	resolver.ClientConn
	n int
}

func (c *countConn) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }
func (c *countConn) UpdateState(resolver.State) error                     { c.n++; return nil }

type nopResolver struct{}

func (nopResolver) ResolveNow(resolver.ResolveNowOptions) {}
func (nopResolver) Close()                                {}

// grab stores the ClientConn that a resolver gets.
type grab struct{ conn resolver.ClientConn }

func (g *grab) Scheme() string { return "grab" }
func (g *grab) Build(_ resolver.Target, c resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	g.conn = c
	return nopResolver{}, nil
}

// Reproduces: an update with the same addresses but other attributes (weights, locality, metadata for a picker, a TLS server name) is
// dropped, because addressesOf compares Addr only.
func TestResolver_ChangedAttributes(t *testing.T) {
	knownfailures.Listed(t)
	g := &grab{}
	c := newClient(ClientConfig{Callee: "x", Log: quiet}.withDefaults())
	cc := &countConn{}
	r, err := governedBuilder{g, c}.Build(resolver.Target{}, cc, resolver.BuildOptions{})
	must(t, err)
	defer r.Close()
	with := func(weight int) resolver.State {
		return resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: "1.2.3.4:1", BalancerAttributes: attributes.New("weight", weight)}}, Attributes: attributes.New("weight", weight)}}}
	}
	_ = g.conn.UpdateState(with(1))
	_ = g.conn.UpdateState(with(100))
	t.Logf("2 different states, %d handed on", cc.n)
	if cc.n != 2 {
		t.Error("the second state never reaches the balancer")
	}
}

// Reproduces: a resolver that answers inside ResolveNow deadlocks, because lookUpNow holds c.lookupMu, and UpdateState -> lookUpIn locks it.
type inline struct {
	conn  resolver.ClientConn
	asked atomic.Int64
}

func (n *inline) Scheme() string { return "inline" }
func (n *inline) Close()         {}
func (n *inline) Build(_ resolver.Target, c resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	n.conn = c
	n.ResolveNow(resolver.ResolveNowOptions{})
	return n, nil
}
func (n *inline) ResolveNow(resolver.ResolveNowOptions) {
	n.asked.Add(1)
	_ = n.conn.UpdateState(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: "1.2.3.4:1"}}}}})
}

func TestResolver_AnswersInline(t *testing.T) {
	knownfailures.Listed(t)
	c := newClient(ClientConfig{Callee: "x", Log: quiet}.withDefaults())
	names := &inline{}
	r, err := governedBuilder{names, c}.Build(resolver.Target{}, &countConn{}, resolver.BuildOptions{})
	must(t, err)
	eventually(t, "a look-up by the timer", func() bool { return names.asked.Load() > 1 })
	closed := make(chan struct{})
	go func() { r.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
		t.Error("Close hangs: the look-up timer's goroutine holds the lock and waits for it")
	}
}

// Reproduces: a resolver passed to Dial in Options (the usual way for a scheme that is not registered globally) is not wrapped: retries do
// not follow the policy, and names are not looked up every 5 s.
func TestResolver_GivenByOptions(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	addr := tcp(t, f.fake(), ServerConfig{})
	names := manual.NewBuilderWithScheme("mine")
	names.InitialState(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: addr}}}}})
	p := policyOf(t, "")
	conn, err := Dial("mine:///x", ClientConfig{Callee: "x", Policy: p, Log: quiet, Options: []grpc.DialOption{grpc.WithResolvers(names)}})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	change(t, p, retried)
	pollFor(300*time.Millisecond, func() bool {
		f.served.Store(0)
		f.fails.Store(1)
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return err == nil
	})
	t.Logf("after the policy allowed retries: %v, %d attempts", err, f.served.Load())
	if err != nil {
		t.Error("this open connection does not get the new retries (the README promises it)")
	}
}

// Reproduces: the service config of a resolver (xDS, Consul and others) is dropped: with an xds target the LB policy would be ours, without
// addresses.
func TestResolver_OwnServiceConfig(t *testing.T) {
	knownfailures.Listed(t)
	g := &grab{}
	c := newClient(ClientConfig{Callee: "x", Log: quiet}.withDefaults())
	var last resolver.State
	r, err := governedBuilder{g, c}.Build(resolver.Target{}, stateConn{&last}, resolver.BuildOptions{})
	must(t, err)
	defer r.Close()
	theirs := &serviceconfig.ParseResult{}
	_ = g.conn.UpdateState(resolver.State{ServiceConfig: theirs, Attributes: attributes.New("k", "v")})
	if last.ServiceConfig != theirs {
		t.Error("the resolver's own service config is dropped")
	}
}

type stateConn struct{ last *resolver.State }

func (c stateConn) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{}
}
func (c stateConn) UpdateState(s resolver.State) error { *c.last = s; return nil }
func (c stateConn) ReportError(error)                  {}
func (c stateConn) NewAddress([]resolver.Address)      {}
