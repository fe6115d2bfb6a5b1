package limit

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// maxCallers bounds the memory that callers can use. If there are more, the one that has been silent the longest is forgotten, if its bucket is
// full again; otherwise new callers share one bucket.
const maxCallers = 4096

// Rate is one limit of one method. It has one bucket, or one for each caller.
type Rate struct {
	perCaller bool
	// The rest is guarded by the mutex of its Rates.
	pace    pace
	shared  *bucket
	callers *simplelru.LRU[string, *bucket]
}

func newRate(now time.Time, p *policyv1.RateLimit) *Rate {
	l := &Rate{perCaller: p.GetPerCaller(), pace: paceOf(p)}
	l.shared = newBucket(now, l.pace)
	if l.perCaller {
		// It fails only for a negative size.
		l.callers, _ = simplelru.NewLRU[string, *bucket](maxCallers, nil)
	}
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

// follow changes the pace and keeps the tokens that were used.
func (l *Rate) follow(now time.Time, p *policyv1.RateLimit) {
	next := paceOf(p)
	if l.pace == next {
		return
	}
	all := []*bucket{l.shared}
	if l.perCaller {
		all = append(all, l.callers.Values()...)
	}
	for _, b := range all {
		b.refill(now, l.pace)
		b.first()
	}
	l.pace = next
}

// bucketOf returns the caller's bucket.
func (l *Rate) bucketOf(now time.Time, caller string) *bucket {
	if !l.perCaller {
		return l.shared
	}
	if b, known := l.callers.Get(caller); known {
		return b
	}
	if l.callers.Len() >= maxCallers {
		if _, oldest, _ := l.callers.GetOldest(); !oldest.full(now, l.pace) {
			return l.shared
		}
		l.callers.RemoveOldest()
	}
	b := newBucket(now, l.pace)
	l.callers.Add(caller, b)
	return b
}

// Rates are all limits of one method. They follow the policy, and keep their buckets as long as they stay of the same kind.
type Rates struct {
	mu  sync.Mutex
	all []*Rate
}

// Follow returns the limits under a policy. They stay in force until the next call of Follow.
func (r *Rates) Follow(policy []*policyv1.RateLimit) []*Rate {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
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
			next = append(next, newRate(now, p))
			continue
		}
		old[kept].follow(now, p)
		next = append(next, old[kept])
		old[kept] = nil
	}
	r.all = next
	return append([]*Rate{}, next...)
}

// Refused is the delay of a refused call. It is zero if the call is not refused.
type Refused struct {
	// For is after how long another attempt with the same patience would be accepted.
	For time.Duration
	// Turn is after how long that attempt would have waited for its turn too. Before that, no attempt of the caller can succeed.
	Turn time.Duration
}

// Take takes a token from every limit or from none, of those that Follow returned. patience is the time that the caller has left. If the call has
// to wait, Take returns its turn, which must be waited for; otherwise turn is nil. If a limit refuses, or the turn would come too late for the
// caller, it returns the delay of another attempt.
func (r *Rates) Take(limits []*Rate, caller string, patience time.Duration) (turn *Turn, refused Refused) {
	return r.take(limits, caller, patience, true)
}

// Spend is Take for limits that are evaluated without an effect: a call that would have to wait for its turn takes its tokens at once, as a debt, so that
// later calls find the line that they would have found. It reports whether the call would be admitted. Take must not be called for the same limits.
func (r *Rates) Spend(limits []*Rate, caller string, patience time.Duration) (admitted bool) {
	_, refused := r.take(limits, caller, patience, false)
	return refused.For == 0
}

func (r *Rates) take(limits []*Rate, caller string, patience time.Duration, wait bool) (turn *Turn, refused Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The clock is read under the lock, so that it does not go back.
	now := time.Now()
	// Most methods have one or two limits.
	var few [2]*bucket
	buckets, waits := few[:0], false
	for _, l := range limits {
		b := l.bucketOf(now, caller)
		buckets = append(buckets, b)
		if until := b.turn(now, l.pace); until > 0 {
			waits = true
			refused.For = max(refused.For, until-min(l.pace.queue, max(0, patience-1)))
			refused.Turn = max(refused.Turn, until)
		}
	}
	switch {
	case refused.For > 0:
		return nil, refused
	case !waits || !wait:
		for _, b := range buckets {
			b.tokens--
		}
		return nil, Refused{}
	}
	return r.line(now, limits, buckets), Refused{}
}

// line puts a call into the lines of the buckets that have no token for it, and takes a token of the others.
func (r *Rates) line(now time.Time, limits []*Rate, buckets []*bucket) *Turn {
	t := &Turn{rates: r, woken: make(chan struct{}, 1)}
	for i, b := range buckets {
		p := place{limit: limits[i], bucket: b}
		if b.turn(now, limits[i].pace) > 0 {
			p.at = b.line.PushBack(t)
		} else {
			b.tokens--
		}
		t.places = append(t.places, p)
	}
	return t
}
