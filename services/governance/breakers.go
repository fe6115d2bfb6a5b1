package governance

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// States of a breaker.
const (
	StateClosed   = breaker.StateClosed
	StateOpen     = breaker.StateOpen
	StateHalfOpen = breaker.StateHalfOpen
)

// BreakerConfig says when a breaker opens and closes.
type BreakerConfig = breaker.Config

// BreakerState describes one breaker. Reason is empty until the first breaker.Transition.
type BreakerState struct {
	// Caller is the name that NewBreakers was given, Callee is ClientConfig.Callee. Method is package.Service/Method, without a leading slash. Methods that are
	// not known by name share unknown/unknown.
	Caller, Callee, Method string
	// State is StateClosed, StateOpen or StateHalfOpen. Reason is why the breaker entered it.
	State, Reason string
	// Since is when the breaker entered State, or when it was made.
	Since time.Time
}

// Breakers has the breakers of a process, one per callee and method. Each is made with its first call.
type Breakers struct {
	// Log receives every transition; it may be nil.
	Log *slog.Logger

	caller  string
	cfg     BreakerConfig
	metrics *Metrics
	events  *Events
	origin  time.Time
	all     oncemap.Map[breakerKey, *methodBreaker]
	// shadows are those of rules in shadow mode.
	shadows oncemap.Map[breakerKey, *methodBreaker]

	// ofConnection means that they belong to one connection, and not to the process.
	ofConnection bool

	mu     sync.Mutex
	states map[breakerKey]BreakerState
	// shadowStates are those of shadows, if there are metrics.
	shadowStates map[breakerKey]BreakerState
	// connections is 0 while the connection is closed or idle, if they belong to one.
	connections int
	// policies are those of the connections, by callee.
	policies map[string]*policy.Policy
}

// breakerKey identifies a breaker. group is empty, except for those of methods that share the name unknownMethod: different rules can apply to them.
type breakerKey struct {
	edge
	group string
}

// methodBreaker is a breaker with the metrics for its refusals and slow calls.
type methodBreaker struct {
	*breaker.Breaker
	follows  atomic.Pointer[policyv1.Breaker]
	changing sync.Mutex
	base     BreakerConfig
	// The counters are nil without metrics.
	rejectedOpen, rejectedCount, slow prometheus.Counter
}

// NewBreakers returns an empty set that reports to metrics and events, either of which may be nil. A policy can override cfg for each method.
func NewBreakers(caller string, cfg BreakerConfig, metrics *Metrics, events *Events) *Breakers {
	return &Breakers{caller: caller, cfg: cfg, metrics: metrics, events: events, origin: time.Now(), states: map[breakerKey]BreakerState{},
		shadowStates: map[breakerKey]BreakerState{}, policies: map[string]*policy.Policy{}}
}

// follow fails if the breakers of a callee already follow another policy: each would undo what the other sets.
func (b *Breakers) follow(callee string, p *policy.Policy) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if other, known := b.policies[callee]; known && other != p {
		return remedy.Errorf(remedy.Advice("use the same Policy, or other Breakers"), "the breakers of %s already follow another policy", callee)
	}
	b.policies[callee] = p
	return nil
}

// Snapshot returns the state of all breakers, sorted by callee and method. It leaves out those in shadow mode, which refuse no call.
// Of several breakers of unknown methods, it has the one in the worst state.
func (b *Breakers) Snapshot() []BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]BreakerState, 0, len(b.states))
	for _, s := range b.states {
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y BreakerState) int {
		return cmp.Or(strings.Compare(x.Callee, y.Callee), strings.Compare(x.Method, y.Method), y.compareState(x))
	})
	return slices.CompactFunc(list, func(x, y BreakerState) bool { return x.Callee == y.Callee && x.Method == y.Method })
}

// compareState compares how bad two states are: open is worse than half-open, and that is worse than closed. Of two breakers in the same state, the one
// that has been in it for longer is worse, or for a shorter time if they are closed.
func (s BreakerState) compareState(other BreakerState) int {
	order := []string{StateClosed, StateHalfOpen, StateOpen}
	since := other.Since.Compare(s.Since)
	if s.State == StateClosed {
		since = -since
	}
	return cmp.Or(cmp.Compare(slices.Index(order, s.State), slices.Index(order, other.State)), since)
}

func (b *Breakers) of(e edge) *methodBreaker { return b.ofGroup(breakerKey{edge: e}) }

func (b *Breakers) ofGroup(key breakerKey) *methodBreaker { return b.all.Of(key, b.make) }

// since is a monotonic clock, which changes of the wall clock do not affect.
func (b *Breakers) since() time.Duration { return time.Since(b.origin) }

func (b *Breakers) make(e breakerKey) *methodBreaker {
	m := &methodBreaker{base: b.cfg, Breaker: breaker.New(b.cfg, b.since, func(t breaker.Transition) { b.record(e, t) })}
	state := BreakerState{Caller: b.caller, Callee: e.callee, Method: e.method, State: StateClosed, Since: time.Now()}
	b.mu.Lock()
	b.states[e] = state
	if b.metrics != nil {
		b.show(b.metrics.breakers, e, state)
	}
	b.mu.Unlock()
	if b.metrics != nil {
		m.rejectedOpen = b.metrics.breakerRejected.WithLabelValues(e.callee, e.method)
		m.slow = b.metrics.breakerSlow.WithLabelValues(e.callee, e.method)
		m.rejectedCount = b.metrics.concurrencyRejected.WithLabelValues(e.callee, e.method)
	}
	return m
}

// allow is Breaker.Allow with the settings of a policy. It counts refusals.
func (m *methodBreaker) allow(policy *policyv1.Breaker) (breaker.Ticket, error) {
	m.follow(policy)
	return m.counted(m.Allow())
}

// allowStream is Breaker.AllowStream with the settings of a policy. It counts refusals.
func (m *methodBreaker) allowStream(policy *policyv1.Breaker) (breaker.Ticket, error) {
	m.follow(policy)
	return m.counted(m.AllowStream())
}

func (m *methodBreaker) counted(t breaker.Ticket, err error) (breaker.Ticket, error) {
	if err != nil && m.rejectedOpen != nil {
		if rpccode.Of(err) == codes.ResourceExhausted {
			m.rejectedCount.Inc()
		} else {
			m.rejectedOpen.Inc()
		}
	}
	return t, err
}

func (m *methodBreaker) follow(policy *policyv1.Breaker) {
	if m.follows.Load() == policy {
		return
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	if m.follows.Load() != policy {
		m.Configure(m.base.WithPolicy(policy))
		m.follows.Store(policy)
	}
}

func (b *Breakers) record(e breakerKey, t breaker.Transition) {
	b.mu.Lock()
	state := b.states[e]
	state.State, state.Reason, state.Since = t.To, t.Reason, t.At
	b.states[e] = state
	if b.metrics != nil {
		b.show(b.metrics.breakers, e, state)
		b.metrics.breakerTransitions.WithLabelValues(e.callee, e.method, t.From, t.To, t.Class).Inc()
	}
	b.mu.Unlock()
	if b.Log != nil {
		b.Log.Warn("breaker", "callee", e.callee, "method", e.method, "from", t.From, "to", t.To, "reason", t.Reason)
	}
	if b.events != nil {
		b.events.Add(Event{Time: t.At, Kind: KindBreaker, Subject: e.callee + "/" + e.method, Detail: t.To + ": " + t.Reason,
			Labels: map[string]string{"caller": b.caller, "callee": e.callee, "method": e.method,
				"from": t.From, "to": t.To, "reason": t.Reason}})
	}
}
