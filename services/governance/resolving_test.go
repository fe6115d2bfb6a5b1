package governance

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/serviceconfig"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// names is a resolver that returns the addresses that a test sets.
type names struct {
	conn resolver.ClientConn

	mu    sync.Mutex
	found []string
	asked int
	// silent means that ResolveNow has no effect.
	silent bool
	// refused is the error of the connection for the last answer.
	refused error
}

func (n *names) find(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found = addresses
}

func (n *names) seen() (asked int, refused error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked, n.refused
}

func (n *names) Scheme() string { return "names" }
func (n *names) Close()         {}

func (n *names) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	n.conn = conn
	n.answer()
	return n, nil
}

func (n *names) ResolveNow(resolver.ResolveNowOptions) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if n.silent {
		return
	}
	// In another goroutine, as gRPC's own resolver does.
	go n.answer()
}

func (n *names) answer() {
	n.mu.Lock()
	defer n.mu.Unlock()
	var s resolver.State
	for _, address := range n.found {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	n.refused = n.conn.UpdateState(s)
}

// pickyConn rejects an update without addresses, as balancers do, and counts both kinds of updates.
type pickyConn struct {
	resolver.ClientConn
	taken, refused *int
}

func (pickyConn) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }
func (c pickyConn) UpdateState(s resolver.State) error {
	if len(s.Endpoints) == 0 {
		*c.refused++
		return errors.New("bad resolver state")
	}
	*c.taken++
	return nil
}

func lookedUp(t *testing.T, n *names) (r resolver.Resolver, taken, refused *int) {
	t.Helper()
	return lookedUpBy(t, n, ClientConfig{})
}

func lookedUpBy(t *testing.T, n *names, cfg ClientConfig) (r resolver.Resolver, taken, refused *int) {
	t.Helper()
	taken, refused = new(int), new(int)
	cfg.Callee, cfg.Log = "callee", quiet
	c := newClient(cfg.withDefaults())
	r, err := governedBuilder{n, c}.Build(resolver.Target{}, pickyConn{taken: taken, refused: refused}, resolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, taken, refused
}

func TestResolver_CalleeWithoutPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		r, taken, emptyUpdates := lookedUp(t, n)
		defer r.Close()
		time.Sleep(5*time.Minute + time.Millisecond)
		synctest.Wait()
		asked, refused := n.seen()
		if refused != nil {
			t.Errorf("the resolver got %v and will wait longer each time", refused)
		}
		if asked != 300 {
			t.Errorf("%d look-ups in five minutes, want one a second", asked)
		}
		if *emptyUpdates != 1 {
			t.Errorf("the connection got %d updates without addresses, each of which fills the retry budget", *emptyUpdates)
		}
		n.find("10.0.0.1:8443")
		time.Sleep(time.Second)
		synctest.Wait()
		if *taken != 1 {
			t.Errorf("the connection got %d updates with the pod", *taken)
		}
	})
}

// TestResolver_NewReplicaIsFound checks that a new replica is found within five seconds although no connection ended, and that an unchanged
// result is not passed on, because each update fills the retry budget.
func TestResolver_NewReplicaIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.find("10.0.0.1:8443", "10.0.0.2:8443")
		r, taken, _ := lookedUp(t, n)
		n.find("10.0.0.2:8443", "10.0.0.1:8443")
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if asked, _ := n.seen(); asked != 12 || *taken != 1 {
			t.Errorf("in a minute: %d look-ups, %d updates", asked, *taken)
		}
		n.find("10.0.0.1:8443", "10.0.0.2:8443", "10.0.0.3:8443")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if *taken != 2 {
			t.Errorf("the connection got %d updates, want one more for the new replica", *taken)
		}
		r.Close()
		asked, _ := n.seen()
		time.Sleep(time.Minute)
		synctest.Wait()
		if now, _ := n.seen(); now != asked {
			t.Error("it continues to look up the name after Close")
		}
	})
}

// TestResolver_LookupIntervalOff checks that a name is then looked up only when a connection ends or the name was not found.
func TestResolver_LookupIntervalOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.find("10.0.0.1:8443")
		r, _, _ := lookedUpBy(t, n, ClientConfig{LookupInterval: Off})
		time.Sleep(time.Hour)
		synctest.Wait()
		if asked, _ := n.seen(); asked != 0 {
			t.Errorf("%d look-ups in an hour", asked)
		}
		n.find()
		r.ResolveNow(resolver.ResolveNowOptions{})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if asked, _ := n.seen(); asked < 5 {
			t.Errorf("%d look-ups in ten seconds without an address", asked)
		}
		r.Close()
	})
}

// fixed is a resolver that returns nothing itself. A test uses the connection that it gets.
type fixed struct{ conn resolver.ClientConn }

func (f *fixed) Scheme() string                        { return "fixed" }
func (f *fixed) ResolveNow(resolver.ResolveNowOptions) {}
func (f *fixed) Close()                                {}
func (f *fixed) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	f.conn = conn
	return f, nil
}

// states records the updates of a connection.
type states struct {
	resolver.ClientConn
	all []resolver.State
}

func (c *states) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{}
}
func (c *states) UpdateState(s resolver.State) error { c.all = append(c.all, s); return nil }

func (c *states) last() resolver.State { return c.all[len(c.all)-1] }

// fix returns the connection for a resolver, and what arrives behind it.
func fix(t *testing.T, p *policy.Policy) (conn resolver.ClientConn, seen *states) {
	t.Helper()
	f, seen := &fixed{}, &states{}
	c := newClient(ClientConfig{Callee: "callee", Policy: p, Log: quiet}.withDefaults())
	r, err := governedBuilder{f, c}.Build(resolver.Target{}, seen, resolver.BuildOptions{})
	must(t, err)
	t.Cleanup(r.Close)
	return f.conn, seen
}

func TestResolver_ChangedStates(t *testing.T) {
	at := func(addr string, weight int) resolver.Endpoint {
		return resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}, Attributes: attributes.New("weight", weight)}
	}
	config := func() *serviceconfig.ParseResult { return &serviceconfig.ParseResult{Err: errors.New("x")} }
	for _, c := range []struct {
		sentence    string
		first, next resolver.State
		passedOn    bool
	}{
		{"the same", resolver.State{Endpoints: []resolver.Endpoint{at("a", 1), at("b", 1)}}, resolver.State{Endpoints: []resolver.Endpoint{at("a", 1), at("b", 1)}}, false},
		{"the same in another order", resolver.State{Endpoints: []resolver.Endpoint{at("a", 1), at("b", 1)}}, resolver.State{Endpoints: []resolver.Endpoint{at("b", 1), at("a", 1)}}, false},
		{"addresses in another order", resolver.State{Addresses: []resolver.Address{{Addr: "a"}, {Addr: "b"}}}, resolver.State{Addresses: []resolver.Address{{Addr: "b"}, {Addr: "a"}}}, false},
		{"the same service config", resolver.State{ServiceConfig: config()}, resolver.State{ServiceConfig: config()}, false},
		{"another endpoint", resolver.State{Endpoints: []resolver.Endpoint{at("a", 1)}}, resolver.State{Endpoints: []resolver.Endpoint{at("a", 1), at("b", 1)}}, true},
		{"another attribute of an endpoint", resolver.State{Endpoints: []resolver.Endpoint{at("a", 1)}}, resolver.State{Endpoints: []resolver.Endpoint{at("a", 2)}}, true},
		{"attributes of two endpoints exchanged", resolver.State{Endpoints: []resolver.Endpoint{at("a", 1), at("b", 2)}}, resolver.State{Endpoints: []resolver.Endpoint{at("a", 2), at("b", 1)}}, true},
		{"another attribute of an address", resolver.State{Addresses: []resolver.Address{{Addr: "a"}}}, resolver.State{Addresses: []resolver.Address{{Addr: "a", BalancerAttributes: attributes.New("weight", 2)}}}, true},
		{"another server name", resolver.State{Addresses: []resolver.Address{{Addr: "a"}}}, resolver.State{Addresses: []resolver.Address{{Addr: "a", ServerName: "x"}}}, true},
		{"another attribute of the result", resolver.State{}, resolver.State{Attributes: attributes.New("k", "v")}, true},
		{"another service config", resolver.State{}, resolver.State{ServiceConfig: config()}, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			conn, seen := fix(t, nil)
			must(t, conn.UpdateState(c.first))
			must(t, conn.UpdateState(c.next))
			if passedOn := len(seen.all) == 2; passedOn != c.passedOn {
				t.Errorf("%d of 2 results arrive", len(seen.all))
			}
		})
	}
}

func TestResolver_OwnServiceConfig(t *testing.T) {
	p := policyOf(t, "client: [{callee: other, retry: {idempotent: true, maxAttempts: 3}}, {deadline: {timeout: 2s}}]")
	conn, seen := fix(t, p)
	theirs := &serviceconfig.ParseResult{}
	must(t, conn.UpdateState(resolver.State{ServiceConfig: theirs, Attributes: attributes.New("k", "v")}))
	if seen.last().ServiceConfig != theirs {
		t.Error("the policy says nothing about the connection, but the resolver's service config is not used")
	}
	for _, text := range []string{"connections: [{callee: callee, leastRequest: true}]", "client: [{callee: callee, retry: {idempotent: true, maxAttempts: 3}}]"} {
		change(t, p, text)
		if got := seen.last(); got.ServiceConfig == theirs || got.Attributes.Value("k") != "v" {
			t.Errorf("%s: the policy does not replace the service config, or replaces more: %v", text, got)
		}
	}
	change(t, p, "")
	if seen.last().ServiceConfig != theirs {
		t.Error("the policy says nothing any more, but the resolver's service config is not used")
	}
}

// inline is a resolver that answers before ResolveNow returns.
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
	synctest.Test(t, func(t *testing.T) {
		names := &inline{}
		c := newClient(ClientConfig{Callee: "callee", Log: quiet}.withDefaults())
		r, err := governedBuilder{names, c}.Build(resolver.Target{}, &states{}, resolver.BuildOptions{})
		must(t, err)
		time.Sleep(time.Minute + time.Millisecond)
		if n := names.asked.Load(); n != 13 {
			t.Errorf("%d look-ups in a minute, want one at first and one every 5 s", n)
		}
		r.Close()
	})
}

// TestResolver_NoAnswer checks that the look-ups continue if one has no answer.
func TestResolver_NoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		r, _, _ := lookedUp(t, n)
		defer r.Close()
		synctest.Wait()
		n.mu.Lock()
		n.silent = true
		n.mu.Unlock()
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if asked, _ := n.seen(); asked != 12 {
			t.Errorf("%d look-ups in a minute, want one after a second and then one every 5 s", asked)
		}
	})
}

// failingBuilder is a resolver that cannot be built after it has answered.
type failingBuilder struct{ inline }

func (f *failingBuilder) Build(target resolver.Target, c resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	_, _ = f.inline.Build(target, c, opts)
	return nil, errors.New("no")
}

func TestResolver_CannotBeBuilt(t *testing.T) {
	// The test fails if a timer is left, because synctest waits for it.
	synctest.Test(t, func(t *testing.T) {
		f := &failingBuilder{}
		c := newClient(ClientConfig{Callee: "callee", Log: quiet}.withDefaults())
		if _, err := (governedBuilder{f, c}).Build(resolver.Target{}, &states{}, resolver.BuildOptions{}); err == nil {
			t.Error("no error")
		}
		time.Sleep(time.Minute)
		if n := f.asked.Load(); n != 1 {
			t.Errorf("%d look-ups", n)
		}
	})
}

func TestResolver_GivenByResolvers(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	addr := tcp(t, f.fake(), ServerConfig{})
	builder := manual.NewBuilderWithScheme("mine")
	builder.InitialState(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: addr}}}}})
	p := policyOf(t, "")
	conn, err := Dial("mine:///x", ClientConfig{Callee: "x", Policy: p, Log: quiet, Resolvers: []resolver.Builder{builder}})
	must(t, err)
	defer conn.Close()
	client := testv1.NewTestServiceClient(conn)
	_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	change(t, p, retried)
	eventually(t, "the open connection has the new retries", func() bool {
		f.served.Store(0)
		f.fails.Store(1)
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return err == nil
	})
}
