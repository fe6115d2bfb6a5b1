package governance

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/dns"
)

// lookupsApart is how soon a name may be looked up again after a connection failed. By grpc-go's own 30 s, a rolling restart that takes
// less leaves a caller with addresses of dead pods only. Each look-up fills the retry budget, so in an outage it also is how often that refills.
const lookupsApart = time.Second

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

	lookup   sync.Mutex // never held while the connection is told anything
	resolver resolver.Resolver
	next     *time.Timer // of the look-up after one that found nobody
}

// UpdateState hands on what was found. Nobody at all is no error here: after one, gRPC's own resolver waits longer each time, up to two
// minutes, and a caller would notice as late that the callee's pods are back.
func (c *governedConn) UpdateState(s resolver.State) error {
	c.mu.Lock()
	c.state = &s
	err := c.send(c.client.serviceConfig())
	c.mu.Unlock()
	nobody := len(s.Addresses) == 0 && len(s.Endpoints) == 0
	c.lookUpAgain(nobody)
	if nobody {
		return nil
	}
	return err
}

func (c *governedConn) lookUpAgain(soon bool) {
	c.lookup.Lock()
	defer c.lookup.Unlock()
	if c.next != nil {
		c.next.Stop()
		c.next = nil
	}
	if soon {
		c.next = time.AfterFunc(lookupsApart, c.lookUpNow)
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
	c.resolver = r
	if r == nil && c.next != nil {
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
	return c.ClientConn.UpdateState(s)
}

func (c *client) serviceConfig() string {
	return serviceConfigFor(c.cfg.Policy.load(), c.cfg.Callee, linkedMethods())
}
