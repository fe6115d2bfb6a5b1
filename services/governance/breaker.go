package governance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// breakerState is the state of a breaker: its zero value is closed.
type breakerState uint64

const (
	closed breakerState = iota
	open
	halfOpen
)

func (s breakerState) String() string { return [...]string{StateClosed, StateOpen, StateHalfOpen}[s] }

// transition is one change of state.
type transition struct {
	from, to string
	reason   string // with its numbers
	class    string // without them, for a label
	at       time.Time
}

// breaker guards one method of one callee. Its settings may change at any time; what it has counted stays.
type breaker struct {
	now      func() time.Duration // monotonic, from any origin
	publish  func(transition)
	settings atomic.Pointer[BreakerConfig]
	inFlight atomic.Int64
	word     atomic.Uint64 // generation<<2 | state: what a call is let in by, without the lock

	mu        sync.Mutex
	counts    window
	origin    time.Duration // when this generation began; the window counts from it
	latest    time.Duration // what now said last
	admitted  uint32        // half-open: probes let in and not given back
	succeeded uint32
	lastProbe time.Duration // age at which the latest probe was let in
	pending   []transition
	flush     sync.Mutex // keeps publications in order; taken before mu
}

// ticket says under which generation a call was let in: an outcome of an earlier one counts no more.
type ticket uint64

func newBreaker(cfg BreakerConfig, now func() time.Duration, publish func(transition)) *breaker {
	b := &breaker{now: now, publish: publish}
	cfg = cfg.withDefaults()
	b.settings.Store(&cfg)
	b.origin = now()
	b.latest = b.origin
	b.counts.resize(0, cfg.Window)
	return b
}

func (b *breaker) state() breakerState { return breakerState(b.word.Load() & 3) }

// configure takes new settings into use.
func (b *breaker) configure(cfg BreakerConfig) {
	cfg = cfg.withDefaults()
	b.mu.Lock()
	if old := b.settings.Load(); old.Window != cfg.Window {
		b.counts.resize(b.age(), cfg.Window)
	}
	b.settings.Store(&cfg)
	if cfg.Disabled && b.state() != closed {
		b.become(closed, "disabled", "the policy disabled it")
	}
	b.unlockAndPublish()
}

// age is the time since the generation began. While a clock jumps back, it stands still.
func (b *breaker) age() time.Duration {
	now := b.now()
	if now < b.latest {
		b.origin -= b.latest - now
	}
	b.latest = now
	return now - b.origin
}

// allow lets a call in, or returns the error to give the caller. done must follow exactly once with the ticket.
func (b *breaker) allow() (ticket, error) {
	cfg := b.settings.Load()
	word := b.word.Load()
	if breakerState(word&3) != closed && !cfg.Disabled {
		var err error
		if word, err = b.admitProbe(cfg); err != nil {
			return 0, err
		}
	}
	if b.inFlight.Add(1) > cfg.MaxConcurrent {
		err := refusal.New(codes.ResourceExhausted, ReasonTooManyCalls, fmt.Sprintf("%d calls are already in flight", cfg.MaxConcurrent),
			refusal.Quota("calls in flight", cfg.MaxConcurrent))
		b.done(ticket(word), err)
		return 0, err
	}
	return ticket(word), nil
}

// admitProbe decides about a call while the breaker is not closed.
func (b *breaker) admitProbe(cfg *BreakerConfig) (word uint64, err error) {
	b.mu.Lock()
	age := b.age()
	if b.state() == open && age > cfg.Open {
		b.become(halfOpen, "open_time_over", fmt.Sprintf("%s have passed since it opened", cfg.Open))
		age = 0
	}
	if b.state() == halfOpen && b.admitted >= cfg.Probes && age-b.lastProbe > cfg.Window {
		// Probes that say nothing for so long were abandoned: their outcomes count no more, and their slots come back.
		b.newGeneration(halfOpen)
		age = 0
	}
	switch b.state() {
	case open:
		err = refusal.New(codes.Unavailable, ReasonBreakerOpen, "circuit breaker is open", refusal.After(cfg.Open-age+1))
	case halfOpen:
		if b.admitted >= cfg.Probes {
			err = refusal.New(codes.Unavailable, ReasonBreakerOpen, "circuit breaker is half-open and all its probes are out")
		} else {
			b.admitted++
			b.lastProbe = age
		}
	}
	word = b.word.Load()
	b.unlockAndPublish()
	return word, err
}

// done counts the outcome of a call that was let in.
func (b *breaker) done(t ticket, err error) {
	b.inFlight.Add(-1)
	code := codeOf(err)
	b.mu.Lock()
	if uint64(t) != b.word.Load() {
		b.mu.Unlock()
		return
	}
	cfg := b.settings.Load()
	switch state := b.state(); {
	case code == codes.Canceled: // says nothing about the callee
		if state == halfOpen {
			b.admitted--
		}
	case state == halfOpen && IsFailure(code):
		b.become(open, "probe_failed", "a probe failed with "+codeName(code))
	case state == halfOpen:
		if b.succeeded++; b.succeeded >= cfg.Probes {
			b.become(closed, "probes_succeeded", fmt.Sprintf("%d probes in a row succeeded", b.succeeded))
		}
	case state == closed:
		b.counts.add(b.age(), !IsFailure(code))
		if IsFailure(code) && !cfg.Disabled && b.tooManyFailed(cfg) {
			b.become(open, "failure_ratio", fmt.Sprintf("%.1f%% of %d calls failed",
				100*float64(b.counts.failed)/float64(b.counts.ok+b.counts.failed), b.counts.ok+b.counts.failed))
		}
	}
	b.unlockAndPublish()
}

func (b *breaker) tooManyFailed(cfg *BreakerConfig) bool {
	finished := b.counts.ok + b.counts.failed
	return finished >= cfg.MinCalls && float64(b.counts.failed) >= cfg.FailureRatio*float64(finished)
}

func (b *breaker) become(to breakerState, class, reason string) {
	b.pending = append(b.pending, transition{from: b.state().String(), to: to.String(), class: class, reason: reason, at: time.Now()})
	b.newGeneration(to)
}

func (b *breaker) newGeneration(state breakerState) {
	generation := b.word.Load() >> 2
	b.origin, b.admitted, b.succeeded, b.lastProbe = b.latest, 0, 0, 0
	b.counts = window{}
	b.counts.resize(0, b.settings.Load().Window)
	b.word.Store((generation+1)<<2 | uint64(state))
}

// unlockAndPublish publishes outside of the lock, in order.
func (b *breaker) unlockAndPublish() {
	waiting := len(b.pending) > 0
	b.mu.Unlock()
	if !waiting {
		return
	}
	b.flush.Lock()
	defer b.flush.Unlock()
	b.mu.Lock()
	pending := b.pending
	b.pending = nil
	b.mu.Unlock()
	for _, t := range pending {
		b.publish(t)
	}
}
