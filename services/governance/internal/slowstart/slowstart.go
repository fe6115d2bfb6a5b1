// Package slowstart gives a replica that has just become ready a share of the calls that grows with time, while older replicas get the rest.
//
// The weight of a replica grows from Config.Least to 1 within Config.Window. A replica may get as many calls as its weight has of the sum of all
// weights. The oldest replicas have no limit, because something has to answer: one replica alone, or several that are all new, get every call.
package slowstart

import (
	"sync"
	"sync/atomic"
	"time"
)

// Config says how the share grows.
type Config struct {
	// Window is the time until a replica has the share of every other one.
	Window time.Duration
	// Least is the weight at first, above 0 and up to 1.
	Least float64
}

func (c Config) weight(age time.Duration) float64 {
	return min(1, max(c.Least, float64(age)/float64(c.Window)))
}

const (
	// interruption is how long a replica must have been without calls to count as new: longer than a connection that reached its maximum age needs
	// to be replaced.
	interruption = time.Second
	// alike is the share of the greatest weight from which on a replica has no limit. Replicas that started together differ by milliseconds.
	alike = 0.9
	// mostCredit is how many calls a replica can save up. With less than two, a replica whose turn comes just before its credit is complete would lose it.
	mostCredit = 2
)

// Group has the replicas of one connection, by their addresses. It decides for each call which new replicas may get it.
type Group struct {
	now func() time.Duration
	// newest is when the newest replica started. It saves the lock when none is new.
	newest atomic.Int64

	mu       sync.Mutex
	replicas map[string]*replica
	// greatest is the greatest weight at the latest call.
	greatest float64
}

type replica struct {
	up bool
	// since is when the replica started, and lost is when it went down.
	since, lost time.Duration
	weight      float64
	// credit is how many calls it may get now.
	credit float64
}

// NewGroup returns a group without replicas. now is a monotonic clock with any origin.
func NewGroup(now func() time.Duration) *Group {
	return &Group{now: now, replicas: map[string]*replica{}}
}

// Up notes that a replica can get calls. It starts, unless it went down a moment ago.
func (g *Group) Up(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r := g.replicas[address]; {
	case r == nil:
		g.start(address)
	case !r.up && g.now()-r.lost >= interruption:
		g.start(address)
	default:
		r.up = true
	}
}

// Down notes that a replica gets no calls.
func (g *Group) Down(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.replicas[address]; r != nil && r.up {
		r.up, r.lost = false, g.now()
	}
}

// Restart notes that a replica is in use again, and starts it.
func (g *Group) Restart(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.replicas[address] != nil {
		g.start(address)
	}
}

func (g *Group) start(address string) {
	now := g.now()
	// It gets a call soon, which may be the first step of its warm-up.
	g.replicas[address] = &replica{up: true, since: now, credit: 1}
	g.newest.Store(int64(now))
}

// Keep forgets all replicas but these.
func (g *Group) Keep(addresses []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := make(map[string]*replica, len(addresses))
	for _, a := range addresses {
		if r := g.replicas[a]; r != nil {
			kept[a] = r
		}
	}
	g.replicas = kept
}

// Call counts a call of which each replica gets its share. It reports whether Admit has to be asked.
func (g *Group) Call(cfg Config) bool {
	now := g.now()
	if now-time.Duration(g.newest.Load()) >= cfg.Window {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := 0.0
	g.greatest = 0
	for _, r := range g.replicas {
		if r.up {
			r.weight = cfg.weight(now - r.since)
			sum += r.weight
			g.greatest = max(g.greatest, r.weight)
		}
	}
	for _, r := range g.replicas {
		if r.up {
			r.credit = min(mostCredit, r.credit+r.weight/sum)
		}
	}
	return true
}

// Admit reports whether a replica may get the call.
func (g *Group) Admit(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.replicas[address]
	if r == nil || !r.up || r.weight >= alike*g.greatest {
		return true
	}
	if r.credit < 1 {
		return false
	}
	r.credit--
	return true
}
