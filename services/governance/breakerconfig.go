package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// BreakerConfig says when a breaker opens. A zero field means the default named beside it.
type BreakerConfig struct {
	FailureRatio  float64       // 0.25: share of finished calls in the window that failed
	MinCalls      uint32        // 20: finished calls in the window below which it never opens
	Window        time.Duration // 10s, rolling, in buckets of a tenth
	Open          time.Duration // 5s: how long it refuses every call
	Probes        uint32        // 5: calls let through when half-open; all must succeed
	MaxConcurrent int64         // 100: calls at once; one more is refused with RESOURCE_EXHAUSTED and counts as a failure
	Disabled      bool          // never open; calls are counted all the same
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	orDefault(&c.FailureRatio, 0.25)
	orDefault(&c.MinCalls, 20)
	orDefault(&c.Window, 10*time.Second)
	orDefault(&c.Open, 5*time.Second)
	orDefault(&c.Probes, 5)
	orDefault(&c.MaxConcurrent, 100)
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// under is what the policy makes of c: what the policy leaves unset stays as c has it.
func (c BreakerConfig) under(p *policyv1.Breaker) BreakerConfig {
	if p == nil {
		return c
	}
	override(&c.FailureRatio, p.GetFailureRatio())
	override(&c.MinCalls, p.GetMinCalls())
	override(&c.Window, p.GetWindow().AsDuration())
	override(&c.Open, p.GetOpen().AsDuration())
	override(&c.Probes, p.GetProbes())
	override(&c.MaxConcurrent, int64(p.GetMaxConcurrent()))
	c.Disabled = p.GetDisabled()
	return c
}

func override[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}
