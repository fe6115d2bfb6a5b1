package governance

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// States of a breaker.
const (
	StateClosed   = "closed"
	StateOpen     = "open"
	StateHalfOpen = "half-open"
)

// BreakerState is what one breaker is doing now. Method has no leading slash. Reason is empty until it first changes.
type BreakerState struct {
	Caller, Callee, Method string
	State, Reason          string
	Since                  time.Time
}

type breakerKey struct{ callee, method string }

// Breakers holds the breakers of a process, one per callee and method, made when first called.
type Breakers struct {
	caller  string
	cfg     BreakerConfig
	metrics *Metrics
	events  *Events

	mu     sync.Mutex
	all    map[breakerKey]*breaker
	states map[breakerKey]BreakerState
}

// NewBreakers reports to metrics and events; either may be nil.
func NewBreakers(caller string, cfg BreakerConfig, metrics *Metrics, events *Events) *Breakers {
	return &Breakers{caller: caller, cfg: cfg, metrics: metrics, events: events,
		all: map[breakerKey]*breaker{}, states: map[breakerKey]BreakerState{}}
}

// Snapshot lists them by callee and method.
func (b *Breakers) Snapshot() []BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]BreakerState, 0, len(b.states))
	for _, s := range b.states {
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y BreakerState) int {
		return cmp.Or(strings.Compare(x.Callee, y.Callee), strings.Compare(x.Method, y.Method))
	})
	return list
}

// allow asks the breaker of the method; see breaker.allow.
func (b *Breakers) allow(callee, fullMethod string) (func(error), error) {
	key := breakerKey{callee, strings.TrimPrefix(fullMethod, "/")}
	done, err := b.of(key).allow()
	if err != nil && b.metrics != nil {
		if codeOf(err) == codes.ResourceExhausted {
			b.metrics.concurrencyRejected.WithLabelValues(key.callee, key.method).Inc()
		} else {
			b.metrics.breakerRejected.WithLabelValues(key.callee, key.method).Inc()
		}
	}
	return done, err
}

func (b *Breakers) of(key breakerKey) *breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	br, ok := b.all[key]
	if !ok {
		br = newBreaker(b.cfg, func(t transition) { b.record(key, t) })
		b.all[key] = br
		b.states[key] = BreakerState{Caller: b.caller, Callee: key.callee, Method: key.method, State: StateClosed, Since: time.Now()}
		if b.metrics != nil {
			b.metrics.newBreaker(b.states[key])
		}
	}
	return br
}

func (b *Breakers) record(key breakerKey, t transition) {
	b.mu.Lock()
	state := b.states[key]
	state.State, state.Reason, state.Since = t.to, t.reason, t.at
	b.states[key] = state
	b.mu.Unlock()
	if b.metrics != nil {
		b.metrics.breakerChanged(state, t)
	}
	if b.events != nil {
		b.events.Add(Event{Time: t.at, Kind: KindBreaker, Subject: key.callee + "/" + key.method, Detail: t.to + ": " + t.reason,
			Labels: map[string]string{"caller": b.caller, "callee": key.callee, "method": key.method,
				"from": t.from, "to": t.to, "reason": t.reason}})
	}
}
