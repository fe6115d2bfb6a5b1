package limit

import (
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// maxCallers bounds the memory that callers can use. If there are more, callers with full buckets are forgotten; if there are none, new
// callers share one bucket.
const maxCallers = 4096

// Rate is one limit of one method. It has one bucket, or one for each caller.
type Rate struct {
	perCaller bool

	mu      sync.Mutex
	pace    pace
	shared  *bucket
	callers map[string]*bucket
}

func newRate(p *policyv1.RateLimit) *Rate {
	l := &Rate{perCaller: p.GetPerCaller(), pace: paceOf(p), callers: map[string]*bucket{}}
	l.shared = newBucket(l.pace)
	return l
}

// PerCaller reports whether each caller has its own bucket.
func (l *Rate) PerCaller() bool { return l.perCaller }

// PerSecond returns the number of calls per second that a limit of a policy allows.
func PerSecond(p *policyv1.RateLimit) float64 { return paceOf(p).rate }

// sameKind reports whether the limit can follow p and keep its buckets.
func (l *Rate) sameKind(p *policyv1.RateLimit) bool {
	return l.perCaller == p.GetPerCaller() && l.pace.leaky == (p.GetLeakyBucket() != nil)
}

func (l *Rate) follow(now time.Time, p *policyv1.RateLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pace == paceOf(p) {
		return
	}
	l.pace = paceOf(p)
	l.shared.follow(now, l.pace)
	for _, b := range l.callers {
		b.follow(now, l.pace)
	}
}

// bucketOf returns the caller's bucket and the current pace.
func (l *Rate) bucketOf(now time.Time, caller string) (*bucket, pace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.perCaller {
		return l.shared, l.pace
	}
	b, known := l.callers[caller]
	if known {
		return b, l.pace
	}
	if len(l.callers) >= maxCallers {
		for name, b := range l.callers {
			if b.full(now, l.pace) {
				delete(l.callers, name)
			}
		}
		if len(l.callers) >= maxCallers {
			return l.shared, l.pace
		}
	}
	b = newBucket(l.pace)
	l.callers[caller] = b
	return b, l.pace
}

// Rates are all limits of one method. They follow the policy, and keep their buckets as long as they stay of the same kind.
type Rates struct {
	mu  sync.Mutex
	all []*Rate
}

// Follow returns the limits under a policy. They stay in force until the next call of Follow.
func (r *Rates) Follow(now time.Time, policy []*policyv1.RateLimit) []*Rate {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.all
	next := make([]*Rate, 0, len(policy))
	for _, p := range policy {
		kept := -1
		for i, l := range old {
			if l != nil && l.sameKind(p) {
				kept = i
				break
			}
		}
		if kept < 0 {
			next = append(next, newRate(p))
			continue
		}
		old[kept].follow(now, p)
		next = append(next, old[kept])
		old[kept] = nil
	}
	r.all = next
	return append([]*Rate{}, next...)
}

// Take takes a token from every limit or from none. If a limit refuses, it returns after how long all of them would accept.
func Take(now time.Time, limits []*Rate, caller string) (turn, refusedFor time.Duration) {
	if len(limits) > 1 {
		for _, l := range limits {
			b, pace := l.bucketOf(now, caller)
			refusedFor = max(refusedFor, b.retryAfter(now, pace))
		}
		if refusedFor > 0 {
			return 0, refusedFor
		}
	}
	for _, l := range limits {
		b, pace := l.bucketOf(now, caller)
		t, refused := b.take(now, pace)
		if refused > 0 {
			return 0, refused
		}
		turn = max(turn, t)
	}
	return turn, 0
}
