// Package outlier finds the endpoints of a callee that fail while others do not, and keeps calls away from them.
//
// An endpoint is in use, ejected, or on trial:
//
//	         failures in a row, or a share of failures
//	in use ────────────────────────────────────────────▶ ejected
//	   ▲                                                  │    ▲
//	   │ the trial call succeeds      the time has passed ▼    │ the trial call fails: twice the time
//	   └────────────────────────────────────────────── on trial
//
// At most a share of the endpoints is ejected: if more of them fail, the callee as a whole has a problem.
package outlier

import (
	"sync"
	"sync/atomic"
	"time"
)

// Change is a change of an endpoint.
type Change struct {
	Address string
	Ejected bool
	// Gone means that an ejected endpoint no longer exists.
	Gone bool
	// Class is the kind of the reason, without numbers. It is empty unless the endpoint is ejected.
	Class, Reason string
	// Delta is the change of the number of ejected endpoints: 0 if an endpoint is ejected again because its trial call failed.
	Delta int
}

// Set has the endpoints of one connection.
type Set struct {
	now     func() time.Duration
	publish func(Change)
	cfg     atomic.Pointer[Config]

	// mu guards everything about ejections.
	mu      sync.Mutex
	total   int
	all     map[string]*Endpoint
	ejected int
}

// NewSet returns an empty set. now is a monotonic clock with any origin; publish is called with each change.
func NewSet(now func() time.Duration, publish func(Change)) *Set {
	s := &Set{now: now, publish: publish, all: map[string]*Endpoint{}}
	s.Configure(Config{})
	return s
}

// Configure applies new settings. Disabling brings all endpoints back.
func (s *Set) Configure(cfg Config) {
	cfg = cfg.withDefaults()
	s.cfg.Store(&cfg)
	if !cfg.Disabled {
		return
	}
	s.mu.Lock()
	var back []*Endpoint
	for _, e := range s.all {
		if e.state.Load() != inUse {
			back = append(back, e)
		}
	}
	s.mu.Unlock()
	for _, e := range back {
		e.readmit("the policy disabled ejection")
	}
}

// Keep sets the endpoints that exist. The set forgets the others.
func (s *Set) Keep(addresses []string) {
	for _, a := range s.keep(addresses) {
		s.publish(Change{Address: a, Gone: true, Reason: "the replica no longer exists", Delta: -1})
	}
}

// keep returns the addresses of the ejected endpoints that it forgets.
func (s *Set) keep(addresses []string) (ejected []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = len(addresses)
	kept := make(map[string]*Endpoint, len(addresses))
	for _, a := range addresses {
		if e := s.all[a]; e != nil {
			kept[a] = e
		}
	}
	for a, e := range s.all {
		if kept[a] != nil {
			continue
		}
		e.gone.Store(true)
		if e.state.Load() != inUse {
			s.ejected--
			// A late outcome must not change the number again.
			e.state.Store(inUse)
			ejected = append(ejected, a)
		}
	}
	s.all = kept
	return ejected
}

// Of returns the endpoint with an address.
func (s *Set) Of(address string) *Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all[address]
	if e == nil {
		e = &Endpoint{set: s, address: address}
		e.recent.Resize(s.now(), ratioWindow)
		s.all[address] = e
	}
	return e
}
