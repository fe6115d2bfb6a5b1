package governance

import (
	"cmp"
	"math"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// shedder limits the calls in flight of the whole process to what it can handle. It learns the limit from the duration of calls, with
// failsafe-go's adaptive limiter. A priority is the share of the limit that a method may use.
type shedder struct {
	metrics *Metrics
	mu      sync.Mutex
	// current is nil before the first policy.
	current *shedding
}

type shedding struct {
	limits limits
	// limiter is nil if nothing is shed.
	limiter adaptivelimiter.AdaptiveLimiter[any]
}

// The limiter compares the duration of calls in a recent window with those of the last shedMemory windows. With the library's default of 10
// windows it gets used to an overload: in the simulation of shed_test.go the limit rises until, after 90 s, no call is answered in time. With
// 600 windows, two minutes, it stays. The price is that a permanently slower callee looks like an overload for that long.
const (
	shedWindow = 200 * time.Millisecond
	shedMemory = 600
)

type limits struct{ min, max, initial uint }

func shedLimits(p *policyv1.Shed) limits {
	l := limits{uint(p.GetMinLimit()), uint(p.GetMaxLimit()), uint(p.GetInitialLimit())}
	l.min = cmp.Or(l.min, 1)
	l.max = cmp.Or(l.max, 200)
	l.initial = cmp.Or(l.initial, min(20, l.max))
	return l
}

// follow returns the shedding under the policy. A new limiter starts with the limit that the old one had learned. There is one limiter at a
// time, because two would each count only some of the calls.
func (s *shedder) follow(policy *Policy) *shedding {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, p := s.current, policy.load().source.GetShed()
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
	s.current = next
	return next
}

// shares are the shares of the limit by priority.
var shares = map[policyv1.Priority]float64{
	policyv1.Priority_PRIORITY_LOW: 0.6, policyv1.Priority_PRIORITY_NORMAL: 0.9,
	policyv1.Priority_PRIORITY_HIGH: 1, policyv1.Priority_PRIORITY_CRITICAL: 1,
}

// admit reports whether a call may be served. The permit, which may be nil, has to be given back.
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
