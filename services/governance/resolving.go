package governance

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// minLookupInterval is how soon a name may be looked up again after a connection failed. With grpc-go's default of 30 s, a rolling restart
// that is faster leaves a client with addresses of terminated pods only.
const minLookupInterval = time.Second

// defaultLookupInterval is how often a name is looked up without a reason. gRPC looks it up only when a connection ends, so a new replica would have
// to wait for that.
const defaultLookupInterval = 5 * time.Second

// resolvers returns the resolvers that a target can select: those of the configuration, ours for DNS, and the registered ones. Each is
// wrapped, so that it passes on the service config of the policy, and passes it on again when the policy changes.
func (c *client) resolvers(scheme string) (all []resolver.Builder) {
	for _, b := range append(slices.Clone(c.cfg.Resolvers), dnsBuilder{}, resolver.Get("passthrough"), resolver.Get(scheme)) {
		if b != nil {
			all = append(all, c.govern(b))
		}
	}
	return all
}

func (c *client) govern(b resolver.Builder) resolver.Builder {
	builder := governedBuilder{b, c}
	if overrider, ok := b.(resolver.AuthorityOverrider); ok {
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
	conn := &governedConn{ClientConn: cc, client: b.client}
	inner, err := b.Builder.Build(target, conn, opts)
	if err != nil {
		conn.close()
		return nil, err
	}
	conn.setResolver(inner)
	b.client.budget.opened()
	b.client.cfg.Breakers.opened()
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

// Close stops the resolver and the look-ups. The connection is closed, or idle: the balancer that it has afterwards begins with all replicas in use.
func (r governedResolver) Close() {
	r.cancel()
	r.conn.close()
	r.Resolver.Close()
	r.conn.client.outliers.Keep(nil)
	if shadow := r.conn.client.shadowOutliers.Load(); shadow != nil {
		shadow.Keep(nil)
	}
	r.conn.client.budget.closed()
	r.conn.client.cfg.Breakers.closed()
}

type governedConn struct {
	resolver.ClientConn
	client *client

	mu    sync.Mutex
	state *resolver.State
	sent  string
	// accepted means that the last update returned no error.
	accepted bool

	// replaced means that the log has the warning that the policy replaces the service config of the resolver.
	replaced bool

	// lookupMu is never held while the connection is updated or the resolver is called.
	lookupMu sync.Mutex
	resolver resolver.Resolver
	// next is the timer of the next look-up without a reason.
	next   *time.Timer
	closed bool
	// lookups are the calls of the resolver that have not returned.
	lookups sync.WaitGroup
}

// UpdateState passes on a result if it is new, because gRPC fills the retry budget with each update. A result without addresses is not
// returned as an error: after one, some resolvers wait longer each time, and the client would not notice that the pods are back.
func (c *governedConn) UpdateState(s resolver.State) error {
	err, wait := c.passOn(s), c.client.cfg.LookupInterval
	if isEmpty(s) {
		err, wait = nil, minLookupInterval
	}
	c.lookUpIn(wait)
	return err
}

// ReportError passes on an error. The name is looked up again soon.
func (c *governedConn) ReportError(err error) {
	c.ClientConn.ReportError(err)
	c.lookUpIn(minLookupInterval)
}

func (c *governedConn) passOn(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	config := c.client.serviceConfig()
	if (c.accepted || isEmpty(s)) && c.state != nil && config == c.sent && sameState(*c.state, s) {
		return nil
	}
	c.state = &s
	return c.send(config)
}

func isEmpty(s resolver.State) bool { return len(s.Addresses) == 0 && len(s.Endpoints) == 0 }

// sameState reports whether two results are the same in another order, because name servers rotate addresses.
func sameState(a, b resolver.State) bool {
	return a.Attributes.Equal(b.Attributes) && reflect.DeepEqual(a.ServiceConfig, b.ServiceConfig) &&
		slices.EqualFunc(sorted(a), sorted(b), func(x, y resolver.Endpoint) bool {
			return x.Attributes.Equal(y.Attributes) && slices.EqualFunc(x.Addresses, y.Addresses, resolver.Address.Equal)
		})
}

// sorted returns the endpoints of a result, sorted by their addresses.
func sorted(s resolver.State) []resolver.Endpoint {
	all := slices.Clone(s.Endpoints)
	for _, a := range s.Addresses {
		all = append(all, resolver.Endpoint{Addresses: []resolver.Address{a}})
	}
	slices.SortStableFunc(all, func(x, y resolver.Endpoint) int {
		return slices.CompareFunc(x.Addresses, y.Addresses, func(a, b resolver.Address) int { return cmp.Compare(a.Addr, b.Addr) })
	})
	return all
}

func (c *governedConn) lookUpIn(wait time.Duration) {
	c.lookupMu.Lock()
	defer c.lookupMu.Unlock()
	if c.next != nil {
		c.next.Stop()
	}
	// A negative interval means that the name is not looked up without a reason.
	if !c.closed && wait > 0 {
		c.next = time.AfterFunc(wait, c.lookUpNow)
	}
}

// lookUpNow calls the resolver, which may answer before it returns. It sets the timer first, in case that there is no answer.
func (c *governedConn) lookUpNow() {
	c.lookUpIn(c.client.cfg.LookupInterval)
	c.lookupMu.Lock()
	r := c.resolver
	if c.closed || r == nil {
		c.lookupMu.Unlock()
		return
	}
	c.lookups.Add(1)
	c.lookupMu.Unlock()
	defer c.lookups.Done()
	r.ResolveNow(resolver.ResolveNowOptions{})
}

// setResolver sets the resolver for look-ups.
func (c *governedConn) setResolver(r resolver.Resolver) {
	c.lookupMu.Lock()
	defer c.lookupMu.Unlock()
	c.resolver = r
}

// close ends the look-ups and waits for the current one.
func (c *governedConn) close() {
	c.lookupMu.Lock()
	c.closed = true
	if c.next != nil {
		c.next.Stop()
	}
	c.lookupMu.Unlock()
	c.lookups.Wait()
}

// resend follows a change of the policy.
func (c *governedConn) resend() {
	c.client.budget.follow()
	c.mu.Lock()
	defer c.mu.Unlock()
	if config := c.client.serviceConfig(); c.state != nil && config != c.sent {
		// The addresses were accepted before.
		_ = c.send(config)
	}
}

// send sends the result with the service config of the policy. A service config of the resolver is used as a whole if the policy sets neither
// retries nor anything about the connection.
func (c *governedConn) send(config string) error {
	c.sent = config
	c.client.budget.reset()
	s := *c.state
	if s.ServiceConfig == nil || config != defaultServiceConfig() {
		if s.ServiceConfig != nil && !c.replaced {
			c.replaced = true
			c.client.log.Warn("the policy replaces the service config of the resolver")
		}
		s.ServiceConfig = c.ParseServiceConfig(config)
	}
	err := c.ClientConn.UpdateState(withClient(s, c.client))
	c.accepted = err == nil
	return err
}

func (c *client) serviceConfig() string {
	return serviceConfigFor(c.cfg.Policy.Rules(), c.cfg.Callee, linkedMethods().streams)
}

// defaultServiceConfig is the service config of a policy that says nothing about the connection.
var defaultServiceConfig = sync.OnceValue(func() string { return serviceConfigFor((*policy.Policy)(nil).Rules(), "", nil) })
