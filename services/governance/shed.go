package governance

import (
	"math"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// shedder keeps the calls at once of the whole process near what it can do, which it learns from how long they take: failsafe-go's
// adaptive limiter. Priority is the share of that limit a method may fill.
type shedder struct {
	metrics *Metrics
	mu      sync.Mutex
	present *shedding // nil before the first
}

type shedding struct {
	limits  limits
	limiter adaptivelimiter.AdaptiveLimiter[any] // nil: nothing is shed
}

// The limit compares how long calls take now, over a window, with how long they took over the latest so many windows. With the library's
// own memory of 10 windows it gets used to an overload: in the simulation of shed_test.go it then rises until nothing is answered in time,
// after 90 s. With 600 windows, two minutes, it stays; the price is that a callee that became slower for good is taken for an overload so long.
const (
	shedWindow = 200 * time.Millisecond
	shedMemory = 600
)

type limits struct{ min, max, initial uint }

func shedLimits(p *policyv1.Shed) limits {
	l := limits{uint(p.GetMinLimit()), uint(p.GetMaxLimit()), uint(p.GetInitialLimit())}
	orDefault(&l.min, 1)
	orDefault(&l.max, 200)
	orDefault(&l.initial, min(20, l.max))
	return l
}

// follow returns what the policy wants now. New bounds start from the limit learnt under the old ones. There is one limiter at a time,
// whoever comes first: two would each count half of the calls.
func (s *shedder) follow(policy *Policy) *shedding {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, p := s.present, policy.load().source.GetShed()
	if p == nil && (now == nil || now.limiter == nil) {
		return nil
	}
	var want limits
	if p != nil {
		want = shedLimits(p)
	}
	if now != nil && now.limits == want {
		return now
	}
	next := &shedding{limits: want}
	if p == nil {
		s.metrics.shedLimit.Set(0)
	} else {
		initial := want.initial
		if now != nil && now.limiter != nil {
			initial = min(want.max, max(want.min, uint(now.limiter.Limit())))
		}
		next.limiter = adaptivelimiter.NewBuilder[any]().WithLimits(want.min, want.max, initial).
			WithRecentWindow(shedWindow, 5*time.Second, 20).WithBaselineWindow(shedMemory).
			OnLimitChanged(func(e adaptivelimiter.LimitChangedEvent) { s.metrics.shedLimit.Set(float64(e.NewLimit)) }).Build()
		s.metrics.shedLimit.Set(float64(initial))
	}
	s.present = next
	return next
}

// shares of the limit by priority.
var shares = map[policyv1.Priority]float64{
	policyv1.Priority_PRIORITY_LOW: 0.6, policyv1.Priority_PRIORITY_NORMAL: 0.9,
	policyv1.Priority_PRIORITY_HIGH: 1, policyv1.Priority_PRIORITY_CRITICAL: 1,
}

// admit returns the permit to give back, which may be nil, and whether the call may go on.
func (s *shedding) admit(p policyv1.Priority) (adaptivelimiter.Permit, bool) {
	if s == nil || s.limiter == nil {
		return nil, true
	}
	critical := p == policyv1.Priority_PRIORITY_CRITICAL
	if share := shares[p]; share < 1 {
		if most := max(1, int(math.Ceil(float64(s.limiter.Limit())*share))); s.limiter.Inflight() >= most {
			return nil, critical
		}
	}
	permit, ok := s.limiter.TryAcquirePermit()
	if !ok {
		return nil, critical
	}
	return permit, true
}
