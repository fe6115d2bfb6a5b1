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
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Change is a change of an endpoint.
type Change struct {
	// Address is that of the endpoint. Ejected is true at the start of an ejection, and false at its end.
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

// Configure applies new settings, also to the endpoints that are ejected. Disabling brings all of them back, a smaller share those that are due first,
// and a shorter time counts from now.
func (s *Set) Configure(cfg Config) {
	cfg = cfg.withDefaults()
	back, reason := s.configure(cfg)
	for _, e := range back {
		e.readmit(reason)
	}
}

// configure returns the endpoints that the settings bring back.
func (s *Set) configure(cfg Config) (back []*Endpoint, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.cfg.Swap(&cfg)
	if old == nil || *old == cfg {
		return nil, ""
	}
	ejected := s.ejectedByDue()
	if cfg.Disabled {
		return ejected, "the policy disabled ejection"
	}
	for _, e := range ejected {
		e.shorten(cfg)
	}
	if cfg.MaxPercent < old.MaxPercent {
		most := int(cfg.MaxPercent) * s.total / 100
		back = ejected[:max(0, len(ejected)-most)]
	}
	return back, "the policy lowered the share of replicas that may be ejected"
}

// ejectedByDue returns the endpoints that are ejected or on trial, starting with the one that is due first. s.mu is held.
func (s *Set) ejectedByDue() (ejected []*Endpoint) {
	for _, e := range s.all {
		if e.state.Load() != inUse {
			ejected = append(ejected, e)
		}
	}
	slices.SortFunc(ejected, func(a, b *Endpoint) int {
		return cmp.Or(cmp.Compare(a.until.Load(), b.until.Load()), strings.Compare(a.address, b.address))
	})
	return ejected
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
