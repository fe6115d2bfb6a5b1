package limit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func tokenBucket(rate float64, burst uint32) *policyv1.RateLimit {
	return &policyv1.RateLimit{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: rate, Burst: &burst}}}
}

func perCaller(l *policyv1.RateLimit) *policyv1.RateLimit {
	l.PerCaller = true
	return l
}

// follow returns a function that takes a token of each limit, if all have one.
func follow(policy ...*policyv1.RateLimit) (take func(caller string) bool, limits []*Rate) {
	var r Rates
	limits = r.Follow(policy)
	return func(caller string) bool {
		turn, refused := r.Take(limits, caller, time.Second)
		return turn == nil && refused.For == 0
	}, limits
}

func TestRateLimit_ManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		take, limits := follow(perCaller(tokenBucket(1, 1)))
		for i := range maxCallers {
			take(fmt.Sprint("stranger ", i))
		}
		if first, second := take("one more"), take("another"); !first || second {
			t.Error("new callers do not share one bucket:", first, second)
		}
		// All buckets are full again.
		time.Sleep(2 * time.Second)
		if !take("one more") || !take("another") {
			t.Error("new callers have no buckets of their own, although others can be forgotten")
		}
		if n := limits[0].callers.Len(); n != maxCallers {
			t.Errorf("%d callers are remembered", n)
		}
		// The callers that are forgotten are those that were silent.
		if take("one more") || take("another") || !take("stranger 4000") || take("stranger 4000") {
			t.Error("a caller that called was forgotten")
		}
	})
}

// The calls of one caller too many must not look at all the others under the lock of the method.
func TestRateLimit_CallerBeyondMemory(t *testing.T) {
	take, _ := follow(perCaller(tokenBucket(0.001, 1e9)))
	for i := range maxCallers {
		take(fmt.Sprint("c", i))
	}
	measure := func(who string) time.Duration {
		since := time.Now()
		for range 1000 {
			take(who)
		}
		return time.Since(since) / 1000
	}
	known, newcomer := measure("c1"), measure("newcomer")
	if newcomer > 20*known {
		t.Errorf("a call of a known caller takes %s, of one too many %s", known, newcomer)
	}
}

// A call that one limit refuses must not cost a token of another, even if other calls come between its check and its taking.
func TestRateLimit_SeveralLimitsConcurrently(t *testing.T) {
	for range 100 {
		take, limits := follow(tokenBucket(1e-9, 1000), tokenBucket(1e-9, 5), perCaller(tokenBucket(1e-9, 7)))
		var admitted atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			all.Go(func() {
				<-start
				for range 5 {
					if take("") {
						admitted.Add(1)
					}
				}
			})
		}
		close(start)
		all.Wait()
		if left := limits[0].shared.tokens; admitted.Load() != 5 || int(left+0.5) != 995 {
			t.Fatalf("%d admitted, want 5; the first limit has %v tokens, want 995", admitted.Load(), left)
		}
	}
}

// The rate must not be exceeded when many goroutines read the clock and take tokens at the same time.
func TestRateLimit_Concurrency(t *testing.T) {
	const rate, span = 1000, 300 * time.Millisecond
	take, _ := follow(tokenBucket(rate, 1))
	var admitted atomic.Int64
	var all sync.WaitGroup
	since := time.Now()
	for range 64 {
		all.Go(func() {
			for time.Since(since) < span {
				if take("") {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	// The last calls may have come after the span.
	if most := int64(rate*time.Since(since).Seconds()) + 1; admitted.Load() > most {
		t.Errorf("%d admitted, at most %d are allowed", admitted.Load(), most)
	}
}

// A clock that goes back does not add tokens twice.
func TestBucket_OlderTime(t *testing.T) {
	now, p := time.Now(), paceOf(tokenBucket(1, 10))
	b := newBucket(now, p)
	b.tokens = 0
	for _, seconds := range []time.Duration{2, 1, 2, 0, 2} {
		b.refill(now.Add(seconds*time.Second), p)
	}
	if b.tokens != 2 {
		t.Errorf("%v tokens after two seconds, want 2", b.tokens)
	}
}
