package governance

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// bucket is one token bucket or leaky bucket. A leaky bucket is a token bucket of one whose calls wait, up to a queue.
type bucket struct {
	limiter *rate.Limiter
	mu      sync.Mutex // a leaky bucket looks, then takes
}

// pace is what a policy says about a bucket.
type pace struct {
	leaky bool
	rate  float64
	burst int           // token bucket
	queue time.Duration // leaky bucket: the longest wait
}

func paceOf(p *policyv1.RateLimit) pace {
	if l := p.GetLeakyBucket(); l != nil {
		return pace{leaky: true, rate: l.GetRate(), burst: 1, queue: time.Duration(float64(l.GetQueue()) / l.GetRate() * float64(time.Second))}
	}
	t := p.GetTokenBucket()
	return pace{rate: t.GetRate(), burst: int(max(1, min(t.GetBurst(), math.MaxInt32)))}
}

func newBucket(p pace) *bucket { return &bucket{limiter: rate.NewLimiter(rate.Limit(p.rate), p.burst)} }

// follow changes the pace and keeps what has been used up.
func (b *bucket) follow(now time.Time, p pace) {
	b.limiter.SetLimitAt(now, rate.Limit(p.rate))
	b.limiter.SetBurstAt(now, p.burst)
}

// take takes a token. It returns how long the call must wait for its turn, or how long from now on the next try would succeed.
func (b *bucket) take(now time.Time, p pace) (turn, refusedFor time.Duration) {
	if !p.leaky {
		if b.limiter.AllowN(now, 1) {
			return 0, 0
		}
		return 0, b.missing(now, p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if turn = b.missing(now, p); turn > p.queue {
		return 0, turn - p.queue
	}
	b.limiter.ReserveN(now, 1)
	return turn, 0
}

// room says whether take would succeed.
func (b *bucket) room(now time.Time, p pace) (refusedFor time.Duration) {
	return max(0, b.missing(now, p)-p.queue)
}

// missing is the time until there is a whole token, rounded up so that waiting that long is enough.
func (b *bucket) missing(now time.Time, p pace) time.Duration {
	tokens := b.limiter.TokensAt(now)
	if tokens >= 1 {
		return 0
	}
	return time.Duration(math.Ceil((1 - tokens) / p.rate * float64(time.Second)))
}

// full says that the bucket knows nothing that a new one would not.
func (b *bucket) full(now time.Time, p pace) bool { return b.limiter.TokensAt(now) >= float64(p.burst) }
