package governance

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/dns"
)

// lookupsApart is how soon a name may be looked up again after a connection failed. By grpc-go's own 30 s, a rolling restart that takes
// less leaves a caller with addresses of dead pods only.
const lookupsApart = time.Second

// lookupsEvery is how often a name is looked up while all is well: gRPC itself asks only when a connection ends, and a new replica would
// wait for that.
const lookupsEvery = 5 * time.Second

// lookUpSoon is for the whole process, as grpc-go has it.
var lookUpSoon = sync.OnceFunc(func() { dns.SetMinResolutionInterval(lookupsApart) })

// hostOf is the host that a target names: dns:///userservice-headless.shop.svc:8443 leads to userservice-headless.shop.svc.
func hostOf(target string) string {
	if u, err := url.Parse(target); err == nil && u.Scheme != "" && strings.HasPrefix(u.Path, "/") {
		target = strings.TrimPrefix(u.Path, "/")
	}
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	return target
}

// governedResolver hands the addresses of gRPC's own resolver on with the policy's service config, and again when the policy changes:
// so that retries follow it on connections that are open already.
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
	opts.DisableServiceConfig = true // no look-up of TXT records: the policy says it all
	conn := &governedConn{ClientConn: cc, client: b.client}
	inner, err := b.Builder.Build(target, conn, opts)
	if err != nil {
		return nil, err
	}
	conn.lookUpBy(inner)
	cancel := func() {}
	if b.client.cfg.Policy != nil {
		cancel = b.client.cfg.Policy.changed.subscribe(conn.again)
	}
	return governedResolver{inner, conn, cancel}, nil
}

type governedResolver struct {
	resolver.Resolver
	conn   *governedConn
	cancel func()
}

func (r governedResolver) Close() {
	r.cancel()
	r.conn.lookUpBy(nil)
	r.Resolver.Close()
}

type governedConn struct {
	resolver.ClientConn
	client *client

	mu    sync.Mutex
	state *resolver.State
	sent  string
	taken bool // without an error

	lookup   sync.Mutex // never held while the connection is told anything
	resolver resolver.Resolver
	next     *time.Timer // of the next look-up that nobody asks for
	closed   bool
}

// UpdateState hands on what was found, if it is new: gRPC fills the retry budget with each answer. Nobody at all is no error here: after
// one, gRPC's own resolver waits longer each time, up to two minutes, and a caller would notice as late that the callee's pods are back.
func (c *governedConn) UpdateState(s resolver.State) error {
	err, wait := c.found(s), lookupsEvery
	if nobody := len(s.Addresses) == 0 && len(s.Endpoints) == 0; nobody {
		err, wait = nil, lookupsApart
	}
	c.lookUpIn(wait)
	return err
}

func (c *governedConn) found(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	config, addresses := c.client.serviceConfig(), addressesOf(s)
	if (c.taken || len(addresses) == 0) && c.state != nil && config == c.sent && slices.Equal(addressesOf(*c.state), addresses) {
		return nil
	}
	c.state = &s
	return c.send(config)
}

// addressesOf sorts them: name servers answer in turns.
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
	c.lookup.Lock()
	defer c.lookup.Unlock()
	if c.next != nil {
		c.next.Stop()
		c.next = nil
	}
	if !c.closed {
		c.next = time.AfterFunc(wait, c.lookUpNow)
	}
}

func (c *governedConn) lookUpNow() {
	c.lookup.Lock()
	defer c.lookup.Unlock()
	if c.resolver != nil {
		c.resolver.ResolveNow(resolver.ResolveNowOptions{})
	}
}

// lookUpBy names the resolver to ask; nil ends it.
func (c *governedConn) lookUpBy(r resolver.Resolver) {
	c.lookup.Lock()
	defer c.lookup.Unlock()
	c.resolver, c.closed = r, r == nil
	if c.closed && c.next != nil {
		c.next.Stop()
	}
}

func (c *governedConn) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if config := c.client.serviceConfig(); c.state != nil && config != c.sent {
		_ = c.send(config) // the addresses are as good as they were
	}
}

func (c *governedConn) send(config string) error {
	c.sent = config
	c.client.budget.reset()
	s := *c.state
	s.ServiceConfig = c.ParseServiceConfig(config)
	err := c.ClientConn.UpdateState(s)
	c.taken = err == nil
	return err
}

func (c *client) serviceConfig() string {
	return serviceConfigFor(c.cfg.Policy.load(), c.cfg.Callee, linkedMethods())
}
