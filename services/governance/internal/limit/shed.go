package limit

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Shedder limits the calls in flight of a method, or of a group of methods, to what the process can handle. It learns the limit from the duration of
// calls, with failsafe-go's adaptive limiter. A priority is the share of the limit that a method may use.
type Shedder struct {
	// OnLimit is called with each new limit, and with 0 when nothing is shed any more.
	OnLimit func(limit float64)

	mu sync.Mutex
	// current is nil before the first policy.
	current *Shedding
}

// Shedding is what a Shedder does under one policy.
type Shedding struct {
	bounds Bounds
	// limiter is nil if nothing is shed.
	limiter adaptivelimiter.AdaptiveLimiter[any]
	// usual is the moving average of the duration of successful calls, in nanoseconds; 0 before the first.
	usual atomic.Int64
}

// The limiter compares the duration of calls in a recent window with those of the last shedMemory windows. With the library's default of 10
// windows it gets used to an overload: in the simulation of admission_shed_test.go the limit rises until, after 90 s, no call is answered in time. With
// 600 windows, two minutes, it stays. The price is that a permanently slower callee looks like an overload for that long.
const (
	shedWindow = 200 * time.Millisecond
	shedMemory = 600
	// shedHeadroom is how many times the recent number of calls in flight the limit may be.
	shedHeadroom = 5
	// shedUsual is the number of calls over which the usual duration is averaged.
	shedUsual = 16
)

// Bounds are the bounds of the adaptive limit.
type Bounds struct{ Min, Max, Initial uint }

// BoundsOf returns the bounds of a policy, with the defaults.
func BoundsOf(p *policyv1.Shed) Bounds {
	l := Bounds{uint(p.GetMinLimit()), uint(p.GetMaxLimit()), uint(p.GetInitialLimit())}
	l.Min = cmp.Or(l.Min, 1)
	l.Max = cmp.Or(l.Max, 200)
	l.Initial = cmp.Or(l.Initial, max(l.Min, min(50, l.Max)))
	return l
}

// Follow returns the shedding under the policy in force, which it reads under its lock, so that an older policy never replaces a newer one. A new
// limiter starts with the limit that the old one had learned. There is one limiter at a time, because two would each count only some of the calls.
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
			// Without the initial limit, the limit of an idle server would be next to nothing, and most of a burst would be shed.
			WithMaxLimitFunc(func(inFlight int) float64 { return float64(max(want.Initial, shedHeadroom*uint(inFlight))) }).
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

// Permit is the place of a call in the limit. The zero value is that of a call that holds none.
type Permit struct {
	adaptivelimiter.Permit
	shedding *Shedding
	since    time.Time
}

// Admit reports whether a call may be served. The permit has to be given back with Done or Drop.
func (s *Shedding) Admit(p policyv1.Priority) (Permit, bool) {
	if s == nil || s.limiter == nil {
		return Permit{}, true
	}
	critical := p == policyv1.Priority_PRIORITY_CRITICAL
	if share := shares[p]; share < 1 {
		if most := max(1, int(math.Ceil(float64(s.limiter.Limit())*share))); s.limiter.Inflight() >= most {
			return Permit{}, critical
		}
	}
	permit, ok := s.limiter.TryAcquirePermit()
	if !ok {
		return Permit{}, critical
	}
	return Permit{permit, s, time.Now()}, true
}

// Held reports whether the call holds a place.
func (p Permit) Held() bool { return p.Permit != nil }

// Done gives the permit of a finished call back. The limit learns from its duration, unless the call failed sooner than calls usually take: an
// error that is returned at once, such as INVALID_ARGUMENT, says nothing about the speed of the server, and would let good calls look slow.
func (p Permit) Done(failed bool) {
	took, usual := int64(time.Since(p.since)), p.shedding.usual.Load()
	switch {
	case !failed && usual == 0:
		p.shedding.usual.Store(took)
	case !failed:
		// A concurrent call may overwrite this, which does not matter for an average.
		p.shedding.usual.Store(usual + (took-usual)/shedUsual)
	case usual == 0 || took < usual:
		p.Drop()
		return
	}
	p.Record()
}
