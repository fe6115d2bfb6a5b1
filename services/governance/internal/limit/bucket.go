// Package limit has the limits of a server: token buckets and leaky buckets, and the adaptive limit of the whole process.
package limit

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// bucket is a token bucket or a leaky bucket. A leaky bucket is a token bucket of size one whose calls wait in a queue of limited length.
type bucket struct {
	limiter *rate.Limiter
	// mu makes the check and the reservation of a leaky bucket atomic.
	mu sync.Mutex
}

// pace is the configuration of a bucket.
type pace struct {
	leaky bool
	rate  float64
	// burst is the size of a token bucket.
	burst int
	// queue is the longest wait of a leaky bucket.
	queue time.Duration
}

func paceOf(p *policyv1.RateLimit) pace {
	if l := p.GetLeakyBucket(); l != nil {
		return pace{leaky: true, rate: l.GetRate(), burst: 1, queue: time.Duration(float64(l.GetQueue()) / l.GetRate() * float64(time.Second))}
	}
	t := p.GetTokenBucket()
	return pace{rate: t.GetRate(), burst: int(max(1, min(t.GetBurst(), math.MaxInt32)))}
}

func newBucket(p pace) *bucket { return &bucket{limiter: rate.NewLimiter(rate.Limit(p.rate), p.burst)} }

// follow changes the pace and keeps the tokens that were used.
func (b *bucket) follow(now time.Time, p pace) {
	b.limiter.SetLimitAt(now, rate.Limit(p.rate))
	b.limiter.SetBurstAt(now, p.burst)
}

// take takes a token. It returns how long the call must wait for its turn or, if the call is refused, after how long another attempt would
// succeed.
func (b *bucket) take(now time.Time, p pace) (turn, refusedFor time.Duration) {
	if !p.leaky {
		if b.limiter.AllowN(now, 1) {
			return 0, 0
		}
		return 0, b.untilToken(now, p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if turn = b.untilToken(now, p); turn > p.queue {
		return 0, turn - p.queue
	}
	b.limiter.ReserveN(now, 1)
	return turn, 0
}

// retryAfter returns after how long take would succeed; 0 means now.
func (b *bucket) retryAfter(now time.Time, p pace) (refusedFor time.Duration) {
	return max(0, b.untilToken(now, p)-p.queue)
}

// untilToken returns the time until there is a whole token, rounded up, so that waiting this long is enough.
func (b *bucket) untilToken(now time.Time, p pace) time.Duration {
	tokens := b.limiter.TokensAt(now)
	if tokens >= 1 {
		return 0
	}
	return time.Duration(math.Ceil((1 - tokens) / p.rate * float64(time.Second)))
}

// full reports whether the bucket is in the same state as a new one.
func (b *bucket) full(now time.Time, p pace) bool { return b.limiter.TokensAt(now) >= float64(p.burst) }
