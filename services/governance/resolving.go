package governance

import (
	"net/url"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/dns"
)

// minLookupInterval is how soon a name may be looked up again after a connection failed. With grpc-go's default of 30 s, a rolling restart
// that is faster leaves a client with addresses of terminated pods only.
const minLookupInterval = time.Second

// lookupInterval is how often a name is looked up without a reason. gRPC looks it up only when a connection ends, so a new replica would have
// to wait for that.
const lookupInterval = 5 * time.Second

// shortenMinLookupInterval changes the interval for the whole process, because grpc-go has only one.
var shortenMinLookupInterval = sync.OnceFunc(func() { dns.SetMinResolutionInterval(minLookupInterval) })

// resolver wraps gRPC's own resolver. It passes on the addresses with the service config of the policy, and passes them on again when the
// policy changes, so that open connections follow it.
func (c *client) resolver(target string) resolver.Builder {
	scheme := "dns"
	if u, err := url.Parse(target); err == nil && resolver.Get(u.Scheme) != nil {
		scheme = u.Scheme
	}
	builder := governedBuilder{resolver.Get(scheme), c}
	if overrider, ok := builder.Builder.(resolver.AuthorityOverrider); ok {
		return overridingBuilder{builder, overrider}
	}
	return builder
}

type governedBuilder struct {
	resolver.Builder
	client *client
}

type overridingBuilder struct {
	governedBuilder
	resolver.AuthorityOverrider
}

func (b governedBuilder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	// The policy is the service config, so no TXT records are looked up.
	opts.DisableServiceConfig = true
	conn := &governedConn{ClientConn: cc, client: b.client}
	inner, err := b.Builder.Build(target, conn, opts)
	if err != nil {
		return nil, err
	}
	conn.setResolver(inner)
	cancel := func() {}
	if b.client.cfg.Policy != nil {
		cancel = b.client.cfg.Policy.Subscribe(conn.resend)
	}
	return governedResolver{inner, conn, cancel}, nil
}

type governedResolver struct {
	resolver.Resolver
	conn   *governedConn
	cancel func()
}

// Close stops the resolver and the look-ups.
func (r governedResolver) Close() {
	r.cancel()
	r.conn.setResolver(nil)
	r.Resolver.Close()
}

type governedConn struct {
	resolver.ClientConn
	client *client

	mu    sync.Mutex
	state *resolver.State
	sent  string
	// accepted means that the last update returned no error.
	accepted bool

	// lookupMu is never held while the connection is updated.
	lookupMu sync.Mutex
	resolver resolver.Resolver
	// next is the timer of the next look-up without a reason.
	next   *time.Timer
	closed bool
}

// UpdateState passes on a result if it is new, because gRPC fills the retry budget with each update. A result without addresses is not
// returned as an error: after one, gRPC's own resolver waits longer each time, up to two minutes, and the client would not notice that the
// pods are back.
func (c *governedConn) UpdateState(s resolver.State) error {
	err, wait := c.passOn(s), lookupInterval
	if empty := len(s.Addresses) == 0 && len(s.Endpoints) == 0; empty {
		err, wait = nil, minLookupInterval
	}
	c.lookUpIn(wait)
	return err
}

func (c *governedConn) passOn(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	config, addresses := c.client.serviceConfig(), addressesOf(s)
	if (c.accepted || len(addresses) == 0) && c.state != nil && config == c.sent && slices.Equal(addressesOf(*c.state), addresses) {
		return nil
	}
	c.state = &s
	return c.send(config)
}

// addressesOf returns sorted addresses, because name servers rotate them.
func addressesOf(s resolver.State) []string {
	var all []string
	for _, e := range s.Endpoints {
		for _, a := range e.Addresses {
			all = append(all, a.Addr)
		}
	}
	for _, a := range s.Addresses {
		all = append(all, a.Addr)
	}
	slices.Sort(all)
	return all
}

func (c *governedConn) lookUpIn(wait time.Duration) {
	c.lookupMu.Lock()
	defer c.lookupMu.Unlock()
	if c.next != nil {
		c.next.Stop()
		c.next = nil
	}
	if !c.closed {
		c.next = time.AfterFunc(wait, c.lookUpNow)
	}
}

func (c *governedConn) lookUpNow() {
	c.lookupMu.Lock()
	defer c.lookupMu.Unlock()
	if c.resolver != nil {
		c.resolver.ResolveNow(resolver.ResolveNowOptions{})
	}
}

// setResolver sets the resolver for look-ups. nil ends them.
func (c *governedConn) setResolver(r resolver.Resolver) {
	c.lookupMu.Lock()
	defer c.lookupMu.Unlock()
	c.resolver, c.closed = r, r == nil
	if c.closed && c.next != nil {
		c.next.Stop()
	}
}

func (c *governedConn) resend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if config := c.client.serviceConfig(); c.state != nil && config != c.sent {
		// The addresses were accepted before.
		_ = c.send(config)
	}
}

func (c *governedConn) send(config string) error {
	c.sent = config
	c.client.budget.reset()
	s := *c.state
	s.ServiceConfig = c.ParseServiceConfig(config)
	err := c.ClientConn.UpdateState(s)
	c.accepted = err == nil
	return err
}

func (c *client) serviceConfig() string {
	return serviceConfigFor(c.cfg.Policy.Rules(), c.cfg.Callee, linkedMethods())
}
