package governance

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

func TestTheServerNameComesFromTheTarget(t *testing.T) {
	for target, want := range map[string]string{
		"dns:///userservice-headless.shop.svc:8443":               "userservice-headless.shop.svc",
		"dns:///userservice-headless.shop.svc.cluster.local:8443": "userservice-headless.shop.svc.cluster.local",
		"dns://10.96.0.10/userservice-headless.shop.svc:8443":     "userservice-headless.shop.svc",
		"userservice.prod.svc:8443":                               "userservice.prod.svc",
		"localhost:8443":                                          "localhost",
		"127.0.0.1:8443":                                          "127.0.0.1",
		"users.example.com":                                       "users.example.com",
	} {
		if got := hostOf(target); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

// names is a resolver that finds what it is told to, whenever it is asked.
type names struct {
	conn resolver.ClientConn

	mu      sync.Mutex
	found   []string
	asked   int
	refused error // what the connection made of the last answer
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
	go n.answer() // as gRPC's own does: never in the caller's goroutine
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

// pickyConn refuses an answer without addresses, as balancers do, and counts both kinds.
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
	taken, refused = new(int), new(int)
	c := newClient(ClientConfig{Callee: "callee", Metrics: NewMetrics(), Log: quiet})
	r, err := governedBuilder{n, c}.Build(resolver.Target{}, pickyConn{taken: taken, refused: refused}, resolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, taken, refused
}

func TestACalleeThatHadNoPodIsFoundWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		r, taken, told := lookedUp(t, n)
		defer r.Close()
		time.Sleep(5*time.Minute + time.Millisecond)
		synctest.Wait()
		asked, refused := n.seen()
		if refused != nil {
			t.Errorf("the resolver is told %v, and will wait longer each time", refused)
		}
		if asked != 300 {
			t.Errorf("asked %d times in five minutes, want once a second", asked)
		}
		if *told != 1 {
			t.Errorf("the connection was told %d times that there is nobody, and each fills the retry budget", *told)
		}
		n.find("10.0.0.1:8443")
		time.Sleep(time.Second)
		synctest.Wait()
		if *taken != 1 {
			t.Errorf("the connection was told %d times of the pod", *taken)
		}
	})
}

// TestANewReplicaIsFoundWithinFiveSeconds although no connection ended; what is as before is not handed on, or each look-up would fill the
// retry budget.
func TestANewReplicaIsFoundWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.find("10.0.0.1:8443", "10.0.0.2:8443")
		r, taken, _ := lookedUp(t, n)
		n.find("10.0.0.2:8443", "10.0.0.1:8443")
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if asked, _ := n.seen(); asked != 12 || *taken != 1 {
			t.Errorf("in a minute it asked %d times, and told the connection %d times", asked, *taken)
		}
		n.find("10.0.0.1:8443", "10.0.0.2:8443", "10.0.0.3:8443")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if *taken != 2 {
			t.Errorf("the connection was told %d times, want once more for the new replica", *taken)
		}
		r.Close()
		asked, _ := n.seen()
		time.Sleep(time.Minute)
		synctest.Wait()
		if now, _ := n.seen(); now != asked {
			t.Error("it asks on after it was closed")
		}
	})
}
