// Package lease decides which faults are still wanted by those that created them.
package lease

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Fault is a fault with a lease.
type Fault struct {
	// UID, Namespace and Name are those of the object.
	UID, Namespace, Name string
	// Time is how long the fault lasts without a renewal.
	Time time.Duration
}

// Leases are the leases of all faults. The zero value has none. A lease that has ended stays ended.
type Leases struct {
	// Now is replaced by tests. Default: time.Now.
	Now func() time.Time

	mu  sync.Mutex
	all map[string]*leased
}

type leased struct {
	Fault
	until time.Time
	over  bool
}

func (l *Leases) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Keep says which faults there are. The lease of a new one begins now; the others are forgotten.
func (l *Leases) Keep(faults []Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, next := l.now(), map[string]*leased{}
	for _, f := range faults {
		if next[f.UID] = l.all[f.UID]; next[f.UID] == nil {
			next[f.UID] = &leased{until: now.Add(f.Time)}
		}
		next[f.UID].Fault = f
	}
	l.all = next
}

// Renew renews the lease of a fault. It returns false for a fault that is not known or has ended.
func (l *Leases) Renew(namespace, name string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if one.Namespace != namespace || one.Name != name {
			continue
		}
		if now := l.now(); !one.over && now.Before(one.until) {
			one.until = now.Add(one.Time)
			return one.Time, true
		}
	}
	return 0, false
}

// Expire ends the leases whose time is over, and reports whether there were any.
func (l *Leases) Expire() (ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if !one.over && !l.now().Before(one.until) {
			one.over, ended = true, true
		}
	}
	return ended
}

// Over reports whether the lease of a fault has ended.
func (l *Leases) Over(uid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[uid]
	return one != nil && one.over
}

// Alive returns the faults of a namespace whose leases are alive, by uid.
func (l *Leases) Alive(namespace string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var alive []string
	for _, uid := range slices.Sorted(maps.Keys(l.all)) {
		if one := l.all[uid]; one.Namespace == namespace && !one.over && l.now().Before(one.until) {
			alive = append(alive, uid)
		}
	}
	return alive
}
