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
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
)

// Config says when an endpoint is ejected. The zero value of each field selects the default in its comment.
type Config struct {
	// Disabled ejects nothing.
	Disabled bool
	// Consecutive is the number of failures in a row. Default: 5.
	Consecutive uint32
	// Ratio is the share of the calls of the last second that failed, if they are ratioCalls or more. Default: 0.5.
	Ratio float64
	// Base is how long an endpoint is ejected the first time. Default: 1s.
	Base time.Duration
	// Max is the longest time. Default: 30s.
	Max time.Duration
	// MaxPercent is the share of the endpoints that may be ejected. Default: 50.
	MaxPercent uint32
}

func (c Config) withDefaults() Config {
	c.Consecutive = cmp.Or(c.Consecutive, 5)
	c.Ratio = cmp.Or(c.Ratio, 0.5)
	c.Base = cmp.Or(c.Base, time.Second)
	c.Max = max(c.Base, cmp.Or(c.Max, 30*time.Second))
	c.MaxPercent = cmp.Or(c.MaxPercent, 50)
	return c
}

const (
	ratioWindow = time.Second
	ratioCalls  = 10
	// mostDoublings keeps the doubled time from overflowing.
	mostDoublings = 10
)

// Change is a change of an endpoint.
type Change struct {
	Address string
	Ejected bool
	// Class is the kind of the reason, without numbers. For an endpoint that is in use again it is empty.
	Class, Reason string
	// Count is the number of endpoints that are ejected now.
	Count int
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

// Keep tells the set which endpoints there are. It forgets the others.
func (s *Set) Keep(addresses []string) {
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
		}
	}
	s.all = kept
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

// States of an endpoint.
const (
	inUse int32 = iota
	out
	onTrial
)

// Endpoint is one replica of the callee.
type Endpoint struct {
	set     *Set
	address string
	state   atomic.Int32
	gone    atomic.Bool
	// until is when an ejected endpoint gets its trial call, or when a trial call without an outcome is given up.
	until atomic.Int64

	mu     sync.Mutex
	row    uint32
	recent window.Window
	// times counts the ejections without a longer time of good work in between.
	times uint
	back  time.Duration
	// forgive has what to do for each recent failure if the endpoint is ejected.
	forgive []func()
}

// Address returns the address of the endpoint.
func (e *Endpoint) Address() string { return e.address }

// Gone reports whether the set has forgotten the endpoint.
func (e *Endpoint) Gone() bool { return e.gone.Load() }

// Ejected reports whether calls are kept away from the endpoint, or one call tries it.
func (e *Endpoint) Ejected() bool { return e.state.Load() != inUse }

// Due reports whether it is time for a trial call.
func (e *Endpoint) Due() bool { return int64(e.set.now()) >= e.until.Load() }

// Admission is how a call was admitted to an endpoint.
type Admission int

// Admissions.
const (
	Refused Admission = iota
	Admitted
	// Trial is the one call that tries an ejected endpoint.
	Trial
	// Forced is a call to an ejected endpoint because no other one is available. It says nothing about the ejection.
	Forced
)

// Admit decides whether a call may go to the endpoint. Done must be called with the admission, unless it is Refused.
func (e *Endpoint) Admit() Admission {
	state := e.state.Load()
	if state == inUse {
		return Admitted
	}
	now, until := int64(e.set.now()), e.until.Load()
	if now < until || !e.until.CompareAndSwap(until, now+int64(e.set.cfg.Load().Max)) {
		return Refused
	}
	e.state.CompareAndSwap(state, onTrial)
	return Trial
}

// Outcome is what a call says about an endpoint.
type Outcome int

// Outcomes. A neutral call, such as a cancelled one, says nothing.
const (
	Neutral Outcome = iota
	Success
	Failure
)

// Done counts the outcome of an admitted call.
func (e *Endpoint) Done(a Admission, o Outcome) {
	switch {
	case a == Trial && o == Success:
		e.readmit("the trial call succeeded")
	case a == Trial && o == Failure:
		e.eject("trial_failed", "the trial call failed")
	case a == Trial:
		// The next call is the trial.
		e.until.Store(int64(e.set.now()))
	case o != Neutral && e.state.Load() == inUse:
		if class, reason := e.count(o == Success); class != "" {
			e.eject(class, reason)
		}
	}
}

// count counts an outcome, and returns why the endpoint should be ejected, if it should.
func (e *Endpoint) count(ok bool) (class, reason string) {
	cfg := e.set.cfg.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recent.Add(e.set.now(), window.Outcome{Failed: !ok})
	if ok {
		e.row = 0
		return "", ""
	}
	e.row++
	finished := e.recent.OK + e.recent.Failed
	switch {
	case cfg.Disabled:
		return "", ""
	case e.row >= cfg.Consecutive:
		return "consecutive_failures", fmt.Sprintf("%d calls in a row failed", e.row)
	case finished >= ratioCalls && float64(e.recent.Failed) >= cfg.Ratio*float64(finished):
		return "failure_ratio", fmt.Sprintf("%d of %d calls in a second failed", e.recent.Failed, finished)
	}
	return "", ""
}

// eject ejects an endpoint that is in use, if not too many are out already, or one on trial again.
func (e *Endpoint) eject(class, reason string) {
	s, cfg := e.set, e.set.cfg.Load()
	s.mu.Lock()
	if s.all[e.address] != e || cfg.Disabled {
		s.mu.Unlock()
		return
	}
	first := e.state.Load() == inUse
	if first && 100*(s.ejected+1) > int(cfg.MaxPercent)*s.total {
		s.mu.Unlock()
		return
	}
	if first {
		s.ejected++
	}
	count := s.ejected
	e.mu.Lock()
	now := s.now()
	if first && now-e.back > 2*cfg.Max {
		e.times = 0
	}
	span := min(cfg.Base<<min(e.times, mostDoublings), cfg.Max)
	e.times++
	e.row = 0
	e.recent = window.Window{}
	e.recent.Resize(now, ratioWindow)
	forgive := e.forgive
	e.forgive = nil
	e.until.Store(int64(now + span))
	e.state.Store(out)
	e.mu.Unlock()
	s.mu.Unlock()
	for _, f := range forgive {
		f()
	}
	s.publish(Change{Address: e.address, Ejected: true, Class: class, Reason: fmt.Sprintf("%s; out for %s", reason, span), Count: count})
}

func (e *Endpoint) readmit(reason string) {
	s := e.set
	s.mu.Lock()
	if s.all[e.address] != e || e.state.Load() == inUse {
		s.mu.Unlock()
		return
	}
	s.ejected--
	count := s.ejected
	e.mu.Lock()
	e.back = s.now()
	e.mu.Unlock()
	e.state.Store(inUse)
	s.mu.Unlock()
	s.publish(Change{Address: e.address, Count: count, Reason: reason})
}

// mostForgiven bounds what an endpoint remembers. An endpoint that is not ejected after so many failures is not going to be.
const mostForgiven = 256

// OnEject runs forgive if the endpoint is ejected soon, or at once if it is ejected already.
func (e *Endpoint) OnEject(forgive func()) {
	e.mu.Lock()
	ejected := e.state.Load() != inUse
	if !ejected {
		if len(e.forgive) >= mostForgiven {
			e.forgive = append(e.forgive[:0], e.forgive[mostForgiven/2:]...)
		}
		e.forgive = append(e.forgive, forgive)
	}
	e.mu.Unlock()
	if ejected {
		forgive()
	}
}
