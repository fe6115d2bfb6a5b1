package governance

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/leastrequest"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/slowstart"
)

// Names of the two load-balancing policies of gRPC, extended to see each attempt of a call: an interceptor sees a call once. The picker keeps
// attempts away from ejected replicas and, for a repeated call, from those that were tried already.
const (
	governedRoundRobin   = "sandbox_round_robin"
	governedLeastRequest = "sandbox_least_request"
)

// leastRequestChoices is how many replicas are compared for each call. gRPC may draw the same replica twice: with its default of 2, one of
// three replicas that hangs would still get a ninth of the calls; with 4, one in 81.
const leastRequestChoices = 4

func balancerConfig(leastRequest bool) map[string]any {
	if leastRequest {
		return map[string]any{governedLeastRequest: map[string]int{"choiceCount": leastRequestChoices}}
	}
	return map[string]any{governedRoundRobin: struct{}{}}
}

// gRPC allows the registration of balancers during initialization only.
func init() {
	balancer.Register(governedBalancerBuilder{governedRoundRobin, balancer.Get(roundrobin.Name)})
	balancer.Register(governedBalancerBuilder{governedLeastRequest, balancer.Get(leastrequest.Name)})
}

type governedBalancerBuilder struct {
	name string
	balancer.Builder
}

// Name returns the name of the balancer, under which gRPC registers it.
func (b governedBalancerBuilder) Name() string { return b.name }

// Build builds the balancer with a connection that sees attempts.
func (b governedBalancerBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	origin := time.Now()
	conn := &balancedConn{ClientConn: cc, group: slowstart.NewGroup(func() time.Duration { return time.Since(origin) })}
	return governedBalancer{b.Builder.Build(conn, opts), conn}
}

// ParseConfig parses the configuration of the balancer.
func (b governedBalancerBuilder) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	if parser, ok := b.Builder.(balancer.ConfigParser); ok {
		return parser.ParseConfig(text)
	}
	return nil, nil
}

// governedBalancer notes which replicas there are.
type governedBalancer struct {
	balancer.Balancer
	conn *balancedConn
}

// UpdateClientConnState passes new replicas on.
func (b governedBalancer) UpdateClientConnState(s balancer.ClientConnState) error {
	addresses := replicaAddresses(s.ResolverState)
	b.conn.client.Store(clientOf(s.ResolverState))
	b.conn.replicas.Store(&addresses)
	b.conn.group.Keep(addresses)
	return b.Balancer.UpdateClientConnState(s)
}

// balancedConn is what the balancer of gRPC sees as its connection.
type balancedConn struct {
	balancer.ClientConn
	// replicas are the addresses of all replicas.
	replicas atomic.Pointer[[]string]
	// known is the last value of replicas that the client's set of endpoints has received.
	known atomic.Pointer[[]string]
	// group knows which replicas have just become ready.
	group *slowstart.Group
	// client receives reports about the health of replicas. It may be nil.
	client atomic.Pointer[client]

	// holding means that held is not empty.
	holding atomic.Bool
	heldMu  sync.Mutex
	held    map[*outlier.Endpoint][]func(balancer.DoneInfo)
}

// subConn is a connection to one replica.
type subConn struct {
	balancer.SubConn
	conn     *balancedConn
	address  string
	endpoint atomic.Pointer[outlier.Endpoint]

	healthMu sync.Mutex
	// unhealthy means that the connection is ready, and the replica reports that it does not serve.
	unhealthy bool
	// ended means that the balancer has ended the connection. What its health check reports afterwards is only that end.
	ended bool
}

// NewSubConn connects to a replica.
func (c *balancedConn) NewSubConn(addresses []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	s := &subConn{conn: c}
	listen := opts.StateListener
	opts.StateListener = func(state balancer.SubConnState) {
		if state.ConnectivityState != connectivity.Ready {
			// It is up when it is also healthy.
			s.changed(false)
			s.disconnected()
		}
		if listen != nil {
			listen(state)
		}
	}
	made, err := c.ClientConn.NewSubConn(addresses, opts) //nolint:staticcheck // deprecated for more than one address, and gRPC's balancers pass one
	if err != nil || len(addresses) == 0 {
		return made, err
	}
	s.SubConn, s.address = made, addresses[0].Addr
	return s, nil
}

// UpdateState wraps the new picker.
func (c *balancedConn) UpdateState(s balancer.State) {
	s.Picker = governedPicker{s.Picker, c}
	c.ClientConn.UpdateState(s)
}

type governedPicker struct {
	balancer.Picker
	conn *balancedConn
}

// mostPicks bounds how often one attempt asks for another replica. In the second half it also accepts replicas that the call has tried already.
const mostPicks = 32

// Pick picks a replica for an attempt.
func (p governedPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	call, ok := info.Ctx.Value(clientCallKey{}).(*clientCall)
	if !ok {
		result, _, err := p.pick(info)
		return result, err
	}
	p.conn.tell(call.client.outliers)
	p.conn.releaseDue()
	slow := call.client.slowStart.Load()
	starting := slow != nil && p.conn.group.Call(*slow)
	// refused are picks that are ended together, so that the picker that prefers replicas with few calls does not repeat one.
	var refused []func(balancer.DoneInfo)
	// deferred is a new replica that has had its share.
	var deferred *subConn
	for n := 1; ; n++ {
		result, replica, err := p.pick(info)
		if err != nil {
			endAll(refused)
			return result, err
		}
		e := p.conn.endpoint(replica, call.client.outliers)
		admission := outlier.Admitted
		switch {
		case e == nil:
		case n == mostPicks && e.Ejected():
			// Every pick was refused, so the last one is used.
			admission = outlier.Forced
		case n == mostPicks:
		case n <= mostPicks/2 && call.tried(e):
			admission = outlier.Refused
		case n <= mostPicks/2 && starting && call.startsSlowly(replica):
			admission, deferred = outlier.Refused, replica
		default:
			admission = e.Admit()
		}
		if admission != outlier.Refused {
			call.attempt(info.Ctx, &result, choice{replica, e, admission})
			endAll(refused)
			if deferred != nil && deferred != replica {
				call.client.deferred.Inc()
			}
			return result, nil
		}
		switch {
		case result.Done == nil:
		case e.Ejected():
			p.conn.hold(e, result.Done)
		default:
			refused = append(refused, result.Done)
		}
	}
}

// pick is Pick of the balancer of gRPC, which knows replicas as *subConn. Replica is nil if it is not one of those.
func (p governedPicker) pick(info balancer.PickInfo) (result balancer.PickResult, replica *subConn, err error) {
	if result, err = p.Picker.Pick(info); err != nil {
		return result, nil, err
	}
	if replica, _ = result.SubConn.(*subConn); replica != nil {
		result.SubConn = replica.SubConn
	}
	return result, replica, nil
}

func endAll(picks []func(balancer.DoneInfo)) {
	for _, done := range picks {
		done(balancer.DoneInfo{})
	}
}

// hold keeps a refused pick open. The picker that prefers replicas with few calls in flight would choose an ejected one, which has none, again and
// again; with refused picks on its account, it loses that advantage.
func (c *balancedConn) hold(e *outlier.Endpoint, done func(balancer.DoneInfo)) {
	c.heldMu.Lock()
	defer c.heldMu.Unlock()
	if c.held == nil {
		c.held = map[*outlier.Endpoint][]func(balancer.DoneInfo){}
	}
	c.held[e] = append(c.held[e], done)
	c.holding.Store(true)
}

// releaseDue ends the refused picks of replicas that can get a call again.
func (c *balancedConn) releaseDue() {
	if !c.holding.Load() {
		return
	}
	c.heldMu.Lock()
	defer c.heldMu.Unlock()
	for e, all := range c.held {
		if e.Ejected() && !e.Due() && !e.Gone() {
			continue
		}
		endAll(all)
		delete(c.held, e)
	}
	c.holding.Store(len(c.held) > 0)
}

// tell passes the addresses of all replicas to the set of endpoints, if they have changed.
func (c *balancedConn) tell(set *outlier.Set) {
	if now := c.replicas.Load(); now != nil && c.known.Load() != now && c.known.Swap(now) != now {
		set.Keep(*now)
	}
}

func (c *balancedConn) endpoint(replica *subConn, set *outlier.Set) *outlier.Endpoint {
	if replica == nil {
		return nil
	}
	if e := replica.endpoint.Load(); e != nil && !e.Gone() {
		return e
	}
	e := set.Of(replica.address)
	replica.endpoint.Store(e)
	return e
}

// replicaAddresses returns the addresses of all replicas, sorted, each once.
func replicaAddresses(s resolver.State) []string {
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
	return slices.Compact(all)
}
