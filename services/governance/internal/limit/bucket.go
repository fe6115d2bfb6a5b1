// Package limit has the limits of a server: token buckets and leaky buckets, and the adaptive limits of its methods.
package limit

import (
	"container/list"
	"math"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// bucket is a token bucket or a leaky bucket. A leaky bucket is a token bucket of size one whose calls wait in a line of limited length. Its
// fields are guarded by the mutex of its Rates.
//
// It is not made of golang.org/x/time/rate, whose reservations have a fixed time: a cancelled one does not let later ones move up, and is lost if
// there are later ones.
type bucket struct {
	tokens float64
	// last is when tokens was computed.
	last time.Time
	// line has the *Turn of each waiting call. The first one gets the next token.
	line list.List
}

// pace is the configuration of a bucket.
type pace struct {
	leaky bool
	rate  float64
	// burst is the size of a token bucket.
	burst float64
	// queue is the longest wait of a leaky bucket.
	queue time.Duration
}

func paceOf(p *policyv1.RateLimit) pace {
	if l := p.GetLeakyBucket(); l != nil {
		return pace{leaky: true, rate: l.GetRate(), burst: 1, queue: time.Duration(float64(l.GetQueue()) / l.GetRate() * float64(time.Second))}
	}
	t := p.GetTokenBucket()
	return pace{rate: t.GetRate(), burst: float64(max(1, t.GetBurst()))}
}

func newBucket(now time.Time, p pace) *bucket { return &bucket{tokens: p.burst, last: now} }

// refill adds the tokens of the time since the last call. While calls wait, there may be a token for each of them, so that none is lost when the
// first one wakes up late.
func (b *bucket) refill(now time.Time, p pace) {
	// A reading of the clock that is older than the last one adds nothing, and does not let the time in between count twice.
	if d := now.Sub(b.last); d > 0 {
		b.add(d.Seconds()*p.rate, p)
		b.last = now
	}
}

func (b *bucket) add(tokens float64, p pace) {
	b.tokens = min(max(p.burst, float64(b.line.Len())), b.tokens+tokens)
}

// turn returns the time until a call that arrives now would have its token, after all that wait.
func (b *bucket) turn(now time.Time, p pace) time.Duration {
	b.refill(now, p)
	return b.until(float64(b.line.Len()+1), p)
}

// until returns the time until there are n tokens, rounded up, so that waiting this long is enough.
func (b *bucket) until(n float64, p pace) time.Duration {
	missing := (n - b.tokens) / p.rate * float64(time.Second)
	if missing < 1 {
		// Less than a nanosecond is an error of rounding.
		return 0
	}
	return time.Duration(math.Ceil(min(missing, math.MaxInt64/2)))
}

// full reports whether the bucket is in the same state as a new one.
func (b *bucket) full(now time.Time, p pace) bool {
	b.refill(now, p)
	return b.line.Len() == 0 && b.tokens >= p.burst
}

// first wakes up the first call in the line.
func (b *bucket) first() {
	if front := b.line.Front(); front != nil {
		front.Value.(*Turn).wake()
	}
}
