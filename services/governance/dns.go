package governance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// dnsBuilder makes resolvers for the scheme dns, which look up A and AAAA records. It replaces the one of grpc-go, whose shortest interval
// between look-ups, 30 s, can only be changed for the whole process, and which waits up to two minutes after an error. SRV and TXT records
// are not used.
type dnsBuilder struct {
	// lookUp is replaced by tests. Default: that of the name server in the target, otherwise that of the system.
	lookUp func(ctx context.Context, host string) (addresses []string, err error)
}

// Scheme returns dns.
func (dnsBuilder) Scheme() string { return "dns" }

// lookupLimit bounds one look-up.
const lookupLimit = 10 * time.Second

// Build starts a resolver. It looks up its name at once, and then when it is asked to.
func (b dnsBuilder) Build(target resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	host, port, err := splitEndpoint(target.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("reading the target %s: %w", target.String(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &dnsResolver{host: host, port: port, conn: conn, lookUp: b.lookUp, asked: make(chan struct{}, 1), cancel: cancel}
	if r.lookUp == nil {
		r.lookUp = nameServer(target.URL).LookupHost
	}
	if _, err := netip.ParseAddr(host); err == nil {
		// The connection reports a problem itself.
		_ = conn.UpdateState(r.stateOf([]string{host}))
		return r, nil
	}
	r.running.Go(func() { r.watch(ctx) })
	return r, nil
}

type dnsResolver struct {
	host, port string
	conn       resolver.ClientConn
	lookUp     func(ctx context.Context, host string) ([]string, error)
	asked      chan struct{}
	cancel     context.CancelFunc
	running    sync.WaitGroup
}

// ResolveNow asks for a look-up as soon as the shortest interval has passed.
func (r *dnsResolver) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case r.asked <- struct{}{}:
	default:
	}
}

// Close ends the resolver.
func (r *dnsResolver) Close() {
	r.cancel()
	r.running.Wait()
}

func (r *dnsResolver) watch(ctx context.Context) {
	for {
		r.report(ctx)
		if pause.For(ctx, minLookupInterval) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-r.asked:
		}
	}
}

// report looks up the name once. A name without addresses is a result, because a headless service without pods has none. After any other
// error the connection keeps the addresses that it has.
func (r *dnsResolver) report(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	addresses, err := r.lookUp(limited, r.host)
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		addresses, err = nil, nil
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.conn.ReportError(fmt.Errorf("looking up %s: %w", r.host, err))
	default:
		// The next look-up passes on the addresses again if the connection has refused them.
		_ = r.conn.UpdateState(r.stateOf(addresses))
	}
}

func (r *dnsResolver) stateOf(addresses []string) (s resolver.State) {
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: net.JoinHostPort(a, r.port)}}})
	}
	return s
}

// nameServer returns the resolver for the name server in a target such as dns://10.96.0.10/userservice:8443.
func nameServer(target url.URL) *net.Resolver {
	if target.Host == "" {
		return net.DefaultResolver
	}
	address := net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "53"))
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
}

// splitEndpoint splits host and port with the defaults of gRPC: localhost and 443.
func splitEndpoint(endpoint string) (host, port string, err error) {
	if _, err := netip.ParseAddr(endpoint); err == nil {
		return endpoint, "443", nil
	}
	host, port, err = net.SplitHostPort(endpoint)
	if err != nil {
		host, port, err = net.SplitHostPort(endpoint + ":443")
	}
	switch {
	case err != nil:
		return "", "", err
	case endpoint == "" || port == "":
		return "", "", errors.New("it has no host or no port")
	}
	return cmp.Or(host, "localhost"), port, nil
}
