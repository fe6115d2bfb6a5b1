package governance

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

// zone is a name server for one name.
type zone struct {
	mu    sync.Mutex
	asked int
	has   records
}

type records struct {
	addresses []string
	err       error
	hangs     bool
}

func (z *zone) set(has records) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.has = has
}

// count returns the number of look-ups since the last count.
func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := z.asked
	z.asked = 0
	return n
}

func (z *zone) lookUp(ctx context.Context, _ string) ([]string, error) {
	z.mu.Lock()
	z.asked++
	has := z.has
	z.mu.Unlock()
	if has.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return has.addresses, has.err
}

// heard records what a resolver reports.
type heard struct {
	states
	errors []error
}

func (h *heard) ReportError(err error) { h.errors = append(h.errors, err) }

func targetOf(t *testing.T, text string) resolver.Target {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	return resolver.Target{URL: *u}
}

// resolve starts a resolver inside of the wrapper that sets its pace.
func resolve(t *testing.T, z *zone, target string) (r resolver.Resolver, h *heard) {
	t.Helper()
	h = &heard{}
	c := newClient(ClientConfig{Callee: "callee", Log: quiet}.withDefaults())
	r, err := governedBuilder{dnsBuilder{z.lookUp}, c}.Build(targetOf(t, target), h, resolver.BuildOptions{})
	must(t, err)
	return r, h
}

func addressesOf(s resolver.State) (all []string) {
	for _, e := range s.Endpoints {
		for _, a := range e.Addresses {
			all = append(all, a.Addr)
		}
	}
	return all
}

func TestDNS_FailedLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{has: records{err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}}
		r, h := resolve(t, z, "dns:///users:8443")
		defer r.Close()
		time.Sleep(5*time.Minute + time.Millisecond)
		synctest.Wait()
		if asked := z.count(); asked < 300 || asked > 302 || len(h.errors) != asked || len(h.all) != 0 {
			t.Errorf("in five minutes %d look-ups, %d errors and %d results, want a look-up and an error every second", asked, len(h.errors), len(h.all))
		}
		z.set(records{addresses: []string{"10.0.0.1", "2001:db8::1"}})
		time.Sleep(time.Second)
		synctest.Wait()
		if len(h.all) != 1 || !slices.Equal(addressesOf(h.last()), []string{"10.0.0.1:8443", "[2001:db8::1]:8443"}) {
			t.Errorf("after the name server is back: %v", h.all)
		}
		z.set(records{err: errors.New("unreachable")})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(h.all) != 1 {
			t.Errorf("an error removes the addresses: %v", h.last())
		}
	})
}

func TestDNS_NameWithoutAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{has: records{addresses: []string{"10.0.0.1"}}}
		r, h := resolve(t, z, "dns:///users:8443")
		defer r.Close()
		synctest.Wait()
		z.set(records{err: &net.DNSError{Err: "no such host", IsNotFound: true}})
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if len(h.all) != 2 || len(addressesOf(h.last())) != 0 || len(h.errors) != 0 {
			t.Errorf("got %v and the errors %v, want the address and then none", h.all, h.errors)
		}
	})
}

func TestDNS_Pace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{has: records{addresses: []string{"10.0.0.1"}}}
		r, _ := resolve(t, z, "dns:///users:8443")
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if asked := z.count(); asked != 13 {
			t.Errorf("%d look-ups in a minute, want one at first and one every 5 s", asked)
		}
		for range 1000 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if asked := z.count(); asked < 10 || asked > 11 {
			t.Errorf("%d look-ups in ten seconds, in which each hundredth asks for one, want one a second", asked)
		}
		z.set(records{hangs: true})
		time.Sleep(5 * time.Second)
		closed := time.Now()
		r.Close()
		if took := time.Since(closed); took != 0 {
			t.Errorf("Close takes %s while a look-up hangs", took)
		}
		z.count()
		time.Sleep(time.Minute)
		if z.count() != 0 {
			t.Error("it continues to look up the name after Close")
		}
	})
}

func TestDNS_HangingLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{has: records{hangs: true}}
		r, h := resolve(t, z, "dns:///users:8443")
		defer r.Close()
		time.Sleep(lookupLimit + time.Second + time.Millisecond)
		synctest.Wait()
		if asked := z.count(); asked != 2 || len(h.errors) != 1 || !errors.Is(h.errors[0], context.DeadlineExceeded) {
			t.Errorf("%d look-ups and the errors %v", asked, h.errors)
		}
	})
}

func TestDNS_Endpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"users.shop.svc:8443": "users.shop.svc 8443",
		"users":               "users 443",
		"users:grpc":          "users grpc",
		":8443":               "localhost 8443",
		"10.0.0.1":            "10.0.0.1 443",
		"10.0.0.1:8443":       "10.0.0.1 8443",
		"::1":                 "::1 443",
		"[::1]":               "::1 443",
		"[fe80::1%eth0]:8443": "fe80::1%eth0 8443",
		"":                    "",
		"users:":              "",
		"a:b:c":               "",
	} {
		host, port, err := splitEndpoint(endpoint)
		if got := host + " " + port; want != "" && (err != nil || got != want) || want == "" && err == nil {
			t.Errorf("%q: got %q and %v, want %q", endpoint, got, err, want)
		}
	}
	if _, err := (dnsBuilder{}).Build(targetOf(t, "dns:///"), &heard{}, resolver.BuildOptions{}); err == nil {
		t.Error("a target without an endpoint was accepted")
	}
}

func TestDNS_IPLiterals(t *testing.T) {
	for target, want := range map[string]string{"dns:///10.0.0.1:8443": "10.0.0.1:8443", "dns:///[::1]:8443": "[::1]:8443", "dns:///10.0.0.1": "10.0.0.1:443"} {
		z := &zone{}
		r, h := resolve(t, z, target)
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close()
		if len(h.all) != 1 || !slices.Equal(addressesOf(h.last()), []string{want}) || z.count() != 0 {
			t.Errorf("%s: got %v, want %s without a look-up", target, h.all, want)
		}
	}
}

func TestDNS_NameServerOfTarget(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer server.Close()
	asked := make(chan error, 1)
	go func() {
		_, _, err := server.ReadFrom(make([]byte, 512))
		asked <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = nameServer(targetOf(t, "dns://"+server.LocalAddr().String()+"/users.example:8443").URL).LookupHost(ctx, "users.example")
	}()
	must(t, <-asked)
	cancel()
	<-done
	if nameServer(targetOf(t, "dns:///users:8443").URL) != net.DefaultResolver {
		t.Error("without a name server in the target, that of the system is not used")
	}
}
