// Package breaker has the circuit breaker of one method of one callee.
package breaker

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Texts of the states.
const (
	StateClosed   = "closed"
	StateOpen     = "open"
	StateHalfOpen = "half-open"
)

// State is the state of a breaker. Its zero value is closed.
type State uint64

const (
	closed State = iota
	open
	halfOpen
)

// String returns the text of a state.
func (s State) String() string { return [...]string{StateClosed, StateOpen, StateHalfOpen}[s] }

// Transition is a change of state.
type Transition struct {
	// From and To are the texts of the states.
	From, To string
	// Reason has the numbers; Class has none, to be a label.
	Reason string
	Class  string
	// At is the wall-clock time of the change.
	At time.Time
}

// Breaker is a circuit breaker for one method of one callee.
//
// Closed, it lets calls through and counts their outcomes in a rolling window. When enough of them fail, or are slow, it opens and refuses every call.
// After a while it becomes half-open and lets a few calls through as probes: if one fails it opens again, if all succeed it closes. A breaker
// leaves the open state with the first call after that time, so it stays open while there are no calls.
//
// Its settings may change at any time; what it has counted is kept.
type Breaker struct {
	// now returns a monotonic time from any origin.
	now      func() time.Duration
	publish  func(Transition)
	settings atomic.Pointer[Config]
	inFlight atomic.Int64
	streams  atomic.Int64
	// word is generation<<2 | state. A call is admitted by it without the lock.
	word atomic.Uint64

	mu     sync.Mutex
	counts window.Window
	// origin is when this generation started. The window counts from it.
	origin time.Duration
	// latest is the last result of now.
	latest time.Duration
	// admitted counts the probes in half-open state that have not been given back.
	admitted  uint32
	succeeded uint32
	// slowProbes counts the probes that succeeded and were slow.
	slowProbes uint32
	// lastProbe is the age at which the latest probe was admitted.
	lastProbe time.Duration
	// openFor is how long the breaker refuses every call this time.
	openFor time.Duration
	pending []Transition
	// flush keeps publications in order. It is locked before mu.
	flush sync.Mutex
}

// Ticket is the generation and state under which a call was admitted. An outcome from an earlier generation is ignored.
type Ticket uint64

// probe reports whether the call was admitted in half-open state.
func (t Ticket) probe() bool { return State(t&3) == halfOpen }

// New returns a closed breaker. now returns a monotonic time from any origin, and publish is called with each change of state, in order.
func New(cfg Config, now func() time.Duration, publish func(Transition)) *Breaker {
	b := &Breaker{now: now, publish: publish}
	cfg = cfg.withDefaults()
	b.settings.Store(&cfg)
	b.origin = now()
	b.latest = b.origin
	b.counts.Resize(0, cfg.Window)
	return b
}

// State returns the current state.
func (b *Breaker) State() State { return State(b.word.Load() & 3) }

// Closed reports whether the breaker lets all calls through.
func (b *Breaker) Closed() bool { return b.State() == closed }

// Counts returns how many calls in the window succeeded and failed.
func (b *Breaker) Counts() (ok, failed uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Advance(b.age())
	return b.counts.OK, b.counts.Failed
}

// InFlight returns how many admitted calls have not ended.
func (b *Breaker) InFlight() int64 { return b.inFlight.Load() }

// Configure applies new settings.
func (b *Breaker) Configure(cfg Config) {
	cfg = cfg.withDefaults()
	b.mu.Lock()
	old := b.settings.Load()
	if old.Window != cfg.Window {
		b.counts.Resize(b.age(), cfg.Window)
	}
	if old.Open != cfg.Open || old.MaxOpen != cfg.MaxOpen {
		b.openFor = cfg.Open
	}
	b.settings.Store(&cfg)
	if cfg.Disabled && b.State() != closed {
		b.transitionTo(closed, "disabled", "the policy disabled it")
	}
	b.unlockAndPublish()
}

// age returns the time since the generation started. While the clock is behind an earlier reading, it stands still.
func (b *Breaker) age() time.Duration {
	now := b.now()
	if now < b.latest {
		b.origin -= b.latest - now
	}
	b.latest = now
	return now - b.origin
}

// Allow admits a unary call, or returns the error for the caller. Done must be called exactly once with the ticket.
func (b *Breaker) Allow() (Ticket, error) {
	cfg := b.settings.Load()
	t, err := b.admit(cfg)
	if err != nil {
		return 0, err
	}
	if b.inFlight.Add(1) > cfg.MaxConcurrent {
		// While the breaker is closed, too many calls in flight are a sign that the callee is slow. A call that was never sent must not decide
		// whether the breaker closes again.
		verdict := Failure
		if t.probe() {
			verdict = Neutral
		}
		b.Done(t, Outcome{Verdict: verdict, Code: codes.ResourceExhausted})
		return 0, tooMany("calls", cfg.MaxConcurrent)
	}
	return t, nil
}

// AllowStream admits a stream, or returns the error for the caller. Streams are limited apart from calls, because they live long, and a refusal says
// nothing about the callee. EndStream must be called exactly once, and Count before it with the ticket.
func (b *Breaker) AllowStream() (Ticket, error) {
	cfg := b.settings.Load()
	t, err := b.admit(cfg)
	if err != nil {
		return 0, err
	}
	if b.streams.Add(1) > cfg.MaxStreams {
		b.Count(t, Outcome{})
		b.EndStream()
		return 0, tooMany("streams", cfg.MaxStreams)
	}
	return t, nil
}

// EndStream reports that a stream has ended.
func (b *Breaker) EndStream() { b.streams.Add(-1) }

func tooMany(what string, most int64) error {
	return refusal.New(codes.ResourceExhausted, refusal.ReasonTooManyCalls, fmt.Sprintf("%d %s are already in flight", most, what),
		refusal.Quota(what+" in flight", most))
}

func (b *Breaker) admit(cfg *Config) (Ticket, error) {
	word := b.word.Load()
	if State(word&3) != closed && !cfg.Disabled {
		var err error
		if word, err = b.admitProbe(cfg); err != nil {
			return 0, err
		}
	}
	return Ticket(word), nil
}

// admitProbe decides about a call while the breaker is not closed.
func (b *Breaker) admitProbe(cfg *Config) (word uint64, err error) {
	b.mu.Lock()
	age := b.age()
	if b.State() == open && age > b.openFor {
		b.transitionTo(halfOpen, "open_time_over", fmt.Sprintf("%s have passed since it opened", b.openFor))
		age = 0
	}
	if b.State() == halfOpen && b.admitted >= cfg.Probes && age-b.lastProbe > cfg.Window {
		// Probes without an outcome for this long were abandoned. Their outcomes are ignored from now on, and their slots are free.
		b.newGeneration(halfOpen)
		age = 0
	}
	switch b.State() {
	case open:
		err = refusal.New(codes.Unavailable, refusal.ReasonBreakerOpen, "circuit breaker is open", refusal.After(b.openFor-age+1))
	case halfOpen:
		if b.admitted >= cfg.Probes {
			err = refusal.New(codes.Unavailable, refusal.ReasonBreakerOpen, "circuit breaker is half-open and all its probes are out")
		} else {
			b.admitted++
			b.lastProbe = age
		}
	}
	word = b.word.Load()
	b.unlockAndPublish()
	return word, err
}

func (b *Breaker) transitionTo(to State, class, reason string) {
	if cfg := b.settings.Load(); to == open && b.State() == halfOpen {
		b.openFor = min(2*b.openFor, max(cfg.Open, cfg.MaxOpen))
	} else if to == open {
		b.openFor = cfg.Open
	}
	b.pending = append(b.pending, Transition{From: b.State().String(), To: to.String(), Class: class, Reason: reason, At: time.Now()})
	b.newGeneration(to)
}

func (b *Breaker) newGeneration(state State) {
	generation := b.word.Load() >> 2
	b.origin, b.admitted, b.succeeded, b.slowProbes, b.lastProbe = b.latest, 0, 0, 0, 0
	b.counts = window.Window{}
	b.counts.Resize(0, b.settings.Load().Window)
	b.word.Store((generation+1)<<2 | uint64(state))
}

// unlockAndPublish publishes transitions in order, and outside of the lock.
func (b *Breaker) unlockAndPublish() {
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
