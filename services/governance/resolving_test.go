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

// names is a resolver that returns the addresses that a test sets.
type names struct {
	conn resolver.ClientConn

	mu    sync.Mutex
	found []string
	asked int
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
	taken, refused = new(int), new(int)
	c := newClient(ClientConfig{Callee: "callee", Metrics: NewMetrics(), Log: quiet})
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
