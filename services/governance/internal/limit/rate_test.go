package limit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestKnownFailures runs the listed tests of this package and fails when one passes.
func TestKnownFailures(t *testing.T) { knownfailures.Check(t, "limit") }

func TestRateLimit_ManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newRate(&policyv1.RateLimit{PerCaller: true, Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: 1}}})
		spend := func(caller string) bool {
			_, refused := Take(time.Now(), []*Rate{l}, caller)
			return refused == 0
		}
		for i := range maxCallers {
			spend(fmt.Sprint("stranger ", i))
		}
		if first, second := spend("one more"), spend("another"); !first || second {
			t.Error("new callers do not share one bucket:", first, second)
		}
		// All buckets are full again and are forgotten.
		time.Sleep(2 * time.Second)
		if !spend("one more") || !spend("another") || len(l.callers) > 2 {
			t.Errorf("%d callers are remembered", len(l.callers))
		}
	})
}

// Reproduces: the calls of the 4097th caller, who is not remembered, each scan all 4096 remembered ones under the method's lock.
func TestRateLimit_CallerBeyondMemory(t *testing.T) {
	knownfailures.Listed(t)
	l := newRate(&policyv1.RateLimit{PerCaller: true, Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: 0.001, Burst: proto.Uint32(10)}}})
	now := time.Now()
	for i := range maxCallers {
		b, p := l.bucketOf(now, fmt.Sprint("c", i))
		b.take(now, p)
	}
	measure := func(who string) time.Duration {
		since := time.Now()
		for range 1000 {
			l.bucketOf(now, who)
		}
		return time.Since(since) / 1000
	}
	known, newcomer := measure("c1"), measure("newcomer")
	t.Logf("a known caller: %s; one too many: %s, under the lock of the method", known, newcomer)
	if newcomer > 100*known {
		t.Error("a call of another caller is more than 100 times as slow")
	}
}

// Several limits should take a token from each or from none. Another call may come between the check and the taking.
func TestRateLimit_SeveralLimitsConcurrently(t *testing.T) {
	knownfailures.Measure(t)
	lost := 0
	for range 300 {
		var r Rates
		limits := r.Follow(time.Now(), []*policyv1.RateLimit{
			{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: 0.001, Burst: proto.Uint32(1000)}}},
			{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: 0.001, Burst: proto.Uint32(5)}}}})
		var admitted atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			all.Go(func() {
				<-start
				for range 5 {
					if _, refused := Take(time.Now(), limits, ""); refused == 0 {
						admitted.Add(1)
					}
				}
			})
		}
		close(start)
		all.Wait()
		lost += 1000 - int(limits[0].shared.limiter.TokensAt(time.Now())) - int(admitted.Load())
	}
	t.Logf("tokens that the first limit lost to calls the second refused: %d in 300 runs", lost)
}

// x/time/rate credits time twice if a caller's clock reading is older than the last one.
func TestRateLimit_Concurrency(t *testing.T) {
	knownfailures.Measure(t)
	const rate, span = 1000, 3 * time.Second
	l := newRate(&policyv1.RateLimit{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: rate, Burst: proto.Uint32(1)}}})
	var admitted atomic.Int64
	var all sync.WaitGroup
	since := time.Now()
	for range 64 {
		all.Go(func() {
			for time.Since(since) < span {
				if _, refused := Take(time.Now(), []*Rate{l}, ""); refused == 0 {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("64 goroutines: %d let in, %d allowed (%+.1f %%)", admitted.Load(), int(rate*span.Seconds())+1, 100*(float64(admitted.Load())/(rate*span.Seconds())-1))
}
