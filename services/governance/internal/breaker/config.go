package breaker

import (
	"cmp"
	"math"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Config says when a breaker opens and closes. The zero value of each field selects the default in its comment.
type Config struct {
	// FailureRatio is the share of finished calls in the window that failed, from which on the breaker opens. Default: 0.25.
	FailureRatio float64
	// SlowCallRatio is the share of finished calls in the window that took longer than SlowCallDuration, from which on the breaker opens, whether they
	// failed or not. Default: 0, so that slow calls never open it.
	SlowCallRatio float64
	// SlowCallDuration must be set if SlowCallRatio is: at 0, every call is slow that has a duration.
	SlowCallDuration time.Duration
	// MinCalls is the number of finished calls in the window below which the breaker never opens. Default: 20.
	MinCalls uint32
	// Window is the length of the rolling window, which has ten buckets. Default: 10s.
	Window time.Duration
	// Open is how long the breaker refuses every call. Default: 5s.
	Open time.Duration
	// MaxOpen is the longest such time: each failed probe doubles the time, up to MaxOpen. Default: Open, so that it stays the same.
	MaxOpen time.Duration
	// Probes is how many calls are let through in half-open state; all of them must succeed. Default: 5.
	Probes uint32
	// MaxConcurrent is how many calls may be in flight. Another one is refused with RESOURCE_EXHAUSTED and counts as a failure. A negative
	// number means no limit. Default: 100.
	MaxConcurrent int64
	// MaxStreams is how many streams may be open. Another one is refused with RESOURCE_EXHAUSTED. A negative number means no limit. Default: 1000.
	MaxStreams int64
	// Disabled breakers never open, but still count calls.
	Disabled bool
}

func (c Config) withDefaults() Config {
	c.FailureRatio = cmp.Or(c.FailureRatio, 0.25)
	c.MinCalls = cmp.Or(c.MinCalls, 20)
	c.Window = cmp.Or(c.Window, 10*time.Second)
	c.Open = cmp.Or(c.Open, 5*time.Second)
	c.Probes = cmp.Or(c.Probes, 5)
	c.MaxConcurrent = limitOf(c.MaxConcurrent, 100)
	c.MaxStreams = limitOf(c.MaxStreams, 1000)
	return c
}

// WithPolicy returns the settings under a policy, which overrides the fields that it sets.
func (c Config) WithPolicy(p *policyv1.Breaker) Config {
	if p == nil {
		return c
	}
	c.FailureRatio = cmp.Or(p.GetFailureRatio(), c.FailureRatio)
	if p.SlowCallRatio != nil {
		c.SlowCallRatio = p.GetSlowCallRatio()
	}
	c.SlowCallDuration = cmp.Or(p.GetSlowCallDuration().AsDuration(), c.SlowCallDuration)
	c.MinCalls = cmp.Or(p.GetMinCalls(), c.MinCalls)
	c.Window = cmp.Or(p.GetWindow().AsDuration(), c.Window)
	c.Open = cmp.Or(p.GetOpen().AsDuration(), c.Open)
	c.MaxOpen = cmp.Or(p.GetMaxOpen().AsDuration(), c.MaxOpen)
	c.Probes = cmp.Or(p.GetProbes(), c.Probes)
	if p.MaxConcurrent != nil {
		c.MaxConcurrent = cmp.Or(int64(p.GetMaxConcurrent()), math.MaxInt64)
	}
	if p.MaxStreams != nil {
		c.MaxStreams = cmp.Or(int64(p.GetMaxStreams()), math.MaxInt64)
	}
	c.Disabled = p.GetDisabled()
	return c
}

// limitOf returns a number of calls; a negative one means no limit.
func limitOf(n, fallback int64) int64 {
	if n < 0 {
		return math.MaxInt64
	}
	return cmp.Or(n, fallback)
}
