package breaker

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
)

// Verdict is what an ended call says about the callee.
type Verdict int

// Verdicts. A neutral call, such as a cancelled one, says nothing.
const (
	Neutral Verdict = iota
	Success
	Failure
)

// Outcome is what the breaker learns from a call. The zero Outcome is that of a call that says nothing.
type Outcome struct {
	// Verdict decides whether the call counts as a success, as a failure or not at all.
	Verdict Verdict
	// Code is a part of the reason if the breaker opens.
	Code codes.Code
	// Took is how long the callee took, or 0 if that says nothing, as for a stream.
	Took time.Duration
}

// Counted identifies what was counted of one call, for Retract. The zero Counted is nothing.
type Counted struct {
	window.Outcome
	word   uint64
	bucket int64
	// retractable means that Retract can take it back.
	retractable bool
}

// Done counts an admitted call that has ended.
func (b *Breaker) Done(t Ticket, o Outcome) Counted {
	b.inFlight.Add(-1)
	return b.Count(t, o)
}

// Count counts the outcome of an admitted call, and returns what Retract needs to take a failed or slow call back.
func (b *Breaker) Count(t Ticket, o Outcome) (counted Counted) {
	b.mu.Lock()
	if uint64(t) != b.word.Load() {
		b.mu.Unlock()
		return Counted{}
	}
	cfg := b.settings.Load()
	switch state := b.State(); {
	case o.Verdict == Neutral:
		if state == halfOpen {
			b.admitted--
		}
	case state == halfOpen:
		counted.Outcome = cfg.judge(o)
		b.countProbe(cfg, counted.Slow, o)
	case state == closed:
		counted.Outcome = cfg.judge(o)
		counted.bucket = b.counts.Add(b.age(), counted.Outcome)
		counted.word, counted.retractable = uint64(t), counted.Failed || counted.Slow
		b.openIfBad(cfg, counted.Outcome)
	}
	b.unlockAndPublish()
	return counted
}

// judge returns what is counted of a call that is not neutral.
func (c *Config) judge(o Outcome) window.Outcome {
	return window.Outcome{Failed: o.Verdict == Failure, Slow: c.SlowCallRatio > 0 && o.Took > c.SlowCallDuration}
}

// countProbe counts a call in half-open state.
func (b *Breaker) countProbe(cfg *Config, slow bool, o Outcome) {
	if o.Verdict == Failure {
		b.transitionTo(open, "probe_failed", "a probe failed with "+rpccode.Name(o.Code))
		return
	}
	b.succeeded++
	if slow {
		b.slowProbes++
	}
	switch {
	case slow && float64(b.slowProbes) >= cfg.SlowCallRatio*float64(cfg.Probes):
		b.transitionTo(open, "probes_slow", fmt.Sprintf("%d of %d probes took longer than %s", b.slowProbes, cfg.Probes, cfg.SlowCallDuration))
	case b.succeeded >= cfg.Probes:
		b.transitionTo(closed, "probes_succeeded", fmt.Sprintf("%d probes in a row succeeded", b.succeeded))
	}
}

// openIfBad opens a closed breaker if the call that was counted last raised a share to its limit.
func (b *Breaker) openIfBad(cfg *Config, last window.Outcome) {
	finished := b.counts.OK + b.counts.Failed
	if cfg.Disabled || finished < cfg.MinCalls {
		return
	}
	all := float64(finished)
	switch failed, slow := float64(b.counts.Failed), float64(b.counts.Slow); {
	case last.Failed && failed >= cfg.FailureRatio*all:
		b.transitionTo(open, "failure_ratio", fmt.Sprintf("%.1f%% of %d calls failed", 100*failed/all, finished))
	case last.Slow && slow >= cfg.SlowCallRatio*all:
		b.transitionTo(open, "slow_call_ratio", fmt.Sprintf("%.1f%% of %d calls took longer than %s", 100*slow/all, finished, cfg.SlowCallDuration))
	}
}

// CountLate counts the outcome of a stream whose first outcome was counted already: it lived, and failed later.
func (b *Breaker) CountLate(o Outcome) Counted {
	word := b.word.Load()
	if State(word&3) != closed {
		return Counted{}
	}
	return b.Count(Ticket(word), o)
}

// Retract takes a failed or slow call back that was counted in the current window. It has no effect on a breaker that has opened since.
func (b *Breaker) Retract(c Counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.retractable && c.word == b.word.Load() {
		b.counts.Retract(b.age(), c.bucket, c.Outcome)
	}
}
