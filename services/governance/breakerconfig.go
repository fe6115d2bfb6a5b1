package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// BreakerConfig says when a breaker opens and closes. The zero value of each field selects the default in its comment.
type BreakerConfig struct {
	// FailureRatio is the share of finished calls in the window that failed, from which on the breaker opens. Default: 0.25.
	FailureRatio float64
	// MinCalls is the number of finished calls in the window below which the breaker never opens. Default: 20.
	MinCalls uint32
	// Window is the length of the rolling window, which has ten buckets. Default: 10s.
	Window time.Duration
	// Open is how long the breaker refuses every call. Default: 5s.
	Open time.Duration
	// Probes is how many calls are let through in half-open state; all of them must succeed. Default: 5.
	Probes uint32
	// MaxConcurrent is how many calls may be in flight. Another one is refused with RESOURCE_EXHAUSTED and counts as a failure. Default: 100.
	MaxConcurrent int64
	// Disabled breakers never open, but still count calls.
	Disabled bool
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

// withPolicy returns the settings under a policy, which overrides the fields that it sets.
func (c BreakerConfig) withPolicy(p *policyv1.Breaker) BreakerConfig {
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
