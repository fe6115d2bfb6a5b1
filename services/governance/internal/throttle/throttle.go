// Package throttle refuses a share of the calls to a callee that fails many of them, in the process of the caller, so that a callee which is overloaded
// does not spend its time on refusing.
//
// It is the adaptive throttling of the SRE book, chapter "Handling Overload", as in failsafe-go and in Envoy's admission control: of n calls in a window
// that were sent, ok succeeded, and the next one is refused with the probability
//
//	(n - ok / (1 - Config.FailureRatio)) / (n + 1)
//
// Refused calls are not counted, unlike in the book. Otherwise a callee that always fails the same share of its calls, overloaded or not, would soon
// get none. The throttler of failsafe-go is not used because it keeps old counts while no call is sent, and loses all when its settings change.
package throttle

import (
	"cmp"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Config says when calls are refused. The zero value of each field selects the default in its comment.
type Config struct {
	// FailureRatio is the share of the calls in the window that failed, above which calls are refused; less than 1. Default: 0.25.
	FailureRatio float64
	// MinCalls is the number of calls in the window that were sent, below which none is refused. Default: 20.
	MinCalls uint32
	// Window is the length of the rolling window, which has ten buckets. Default: 10s.
	Window time.Duration
	// MaxRefused is the greatest share of the calls that is refused, so that some find out whether the callee works again. Default: 0.9.
	MaxRefused float64
}

func (c Config) withDefaults() Config {
	c.FailureRatio = cmp.Or(c.FailureRatio, 0.25)
	c.MinCalls = cmp.Or(c.MinCalls, 20)
	c.Window = cmp.Or(c.Window, 10*time.Second)
	c.MaxRefused = cmp.Or(c.MaxRefused, 0.9)
	return c
}

// ConfigOf returns the settings of a policy.
func ConfigOf(p *policyv1.Throttle) Config {
	return Config{FailureRatio: p.GetFailureRatio(), MinCalls: p.GetMinCalls(), Window: p.GetWindow().AsDuration(), MaxRefused: p.GetMaxRefusedRatio()}
}

// refusedShare returns the share of the calls that is refused, from 0 to 1.
func (c Config) refusedShare(ok, failed uint32) float64 {
	n := ok + failed
	if n < c.MinCalls {
		return 0
	}
	most := float64(ok) / (1 - c.FailureRatio)
	return max(0, min(c.MaxRefused, (float64(n)-most)/float64(n+1)))
}

// Throttle is the throttling of one method of one callee.
type Throttle struct {
	now    func() time.Duration
	random func() float64

	mu     sync.Mutex
	cfg    Config
	counts window.Window
}

// New returns a Throttle that has counted nothing. now is a monotonic clock with any origin, and random returns a number from 0 up to 1.
func New(cfg Config, now func() time.Duration, random func() float64) *Throttle {
	t := &Throttle{now: now, random: random}
	t.Configure(cfg)
	return t
}

// Configure applies new settings, and keeps what was counted.
func (t *Throttle) Configure(cfg Config) {
	cfg = cfg.withDefaults()
	t.mu.Lock()
	defer t.mu.Unlock()
	if cfg.Window != t.cfg.Window {
		t.counts.Resize(t.now(), cfg.Window)
	}
	t.cfg = cfg
}

// Allow decides about a call. share is that of the calls which are refused now. Done must be called with the outcome of an allowed call, unless that
// says nothing.
func (t *Throttle) Allow() (share float64, allowed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Advance(t.now())
	share = t.cfg.refusedShare(t.counts.OK, t.counts.Failed)
	return share, share == 0 || t.random() >= share
}

// Done counts the outcome of a call that was sent.
func (t *Throttle) Done(ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Add(t.now(), window.Outcome{Failed: !ok})
}
