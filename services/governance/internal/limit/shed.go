package limit

import (
	"cmp"
	"math"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Shedder limits the calls in flight of the whole process to what it can handle. It learns the limit from the duration of calls, with
// failsafe-go's adaptive limiter. A priority is the share of the limit that a method may use.
type Shedder struct {
	// OnLimit is called with each new limit, and with 0 when nothing is shed any more.
	OnLimit func(limit float64)

	mu sync.Mutex
	// current is nil before the first policy.
	current *Shedding
}

type Shedding struct {
	bounds Bounds
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

// Bounds are the bounds of the adaptive limit.
type Bounds struct{ Min, Max, Initial uint }

// BoundsOf returns the bounds of a policy, with the defaults.
func BoundsOf(p *policyv1.Shed) Bounds {
	l := Bounds{uint(p.GetMinLimit()), uint(p.GetMaxLimit()), uint(p.GetInitialLimit())}
	l.Min = cmp.Or(l.Min, 1)
	l.Max = cmp.Or(l.Max, 200)
	l.Initial = cmp.Or(l.Initial, min(20, l.Max))
	return l
}

// Follow returns the shedding under the policy in force, which it reads under its lock, so that an older policy never replaces a newer one. A new
// limiter starts with the limit that the old one had learned. There is one limiter at a
// time, because two would each count only some of the calls.
func (s *Shedder) Follow(inForce func() *policyv1.Shed) *Shedding {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, p := s.current, inForce()
	if p == nil && (now == nil || now.limiter == nil) {
		return nil
	}
	var want Bounds
	if p != nil {
		want = BoundsOf(p)
	}
	if now != nil && now.bounds == want {
		return now
	}
	next := &Shedding{bounds: want}
	if p == nil {
		s.OnLimit(0)
	} else {
		initial := want.Initial
		if now != nil && now.limiter != nil {
			initial = min(want.Max, max(want.Min, uint(now.limiter.Limit())))
		}
		next.limiter = adaptivelimiter.NewBuilder[any]().WithLimits(want.Min, want.Max, initial).
			WithRecentWindow(shedWindow, 5*time.Second, 20).WithBaselineWindow(shedMemory).
			OnLimitChanged(func(e adaptivelimiter.LimitChangedEvent) { s.OnLimit(float64(e.NewLimit)) }).Build()
		s.OnLimit(float64(initial))
	}
	s.current = next
	return next
}

// shares are the shares of the limit by priority.
var shares = map[policyv1.Priority]float64{
	policyv1.Priority_PRIORITY_LOW: 0.6, policyv1.Priority_PRIORITY_NORMAL: 0.9,
	policyv1.Priority_PRIORITY_HIGH: 1, policyv1.Priority_PRIORITY_CRITICAL: 1,
}

// Admit reports whether a call may be served. The permit, which may be nil, has to be given back.
func (s *Shedding) Admit(p policyv1.Priority) (adaptivelimiter.Permit, bool) {
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
