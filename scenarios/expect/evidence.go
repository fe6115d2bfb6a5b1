package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

const (
	// MaxAge is the age from which a reading does not describe the present.
	MaxAge = time.Second
	// WindowCalls is the number of finished calls that a ratio or a quantile over a sliding window needs.
	WindowCalls = 20
	// minSent is the share of arrivals that must be sent. Below it the load generator was the bottleneck, and the measured load is not the one that
	// the scenario describes.
	minSent target.Share = 0.99
)

// Evidence is what was observed over a window that the caller chooses. Maps are indexed by the name of the load.
type Evidence struct {
	// Loads is what each load did in the window.
	Loads map[string]target.LoadReading
	// Unread is why the window of a load is not known.
	Unread map[string]string
	// Started is when the window of a load started. It is empty outside of sliding windows.
	Started map[string]time.Time
	// Calls is the number of finished calls that a ratio needs.
	Calls int64

	// Traces are those of every breaker that is known, from the start of the run.
	Traces []StateTrace
	// UnknownTraces is why the states of the breakers are not known. It is empty if they are known.
	UnknownTraces string
	// BreakerWindow is the window for states of breakers. Now is its end.
	BreakerWindow BreakerWindow
	Now           time.Time

	// Ready returns the lowest number of ready pods in the window, and when the window started. Outside of sliding windows that is the zero time.
	Ready func(release string) (n int, started time.Time, err error)
	// Value returns what the query of an expectation yields now, and when its window started. nil means that there is no Prometheus.
	Value func(x OfMetric) (value float64, started time.Time, err error)
}

// BreakerWindow is the window in which the state of a breaker is judged. The zero value is the present moment, because a state can last milliseconds.
type BreakerWindow struct {
	// Hold is how long the state must have lasted.
	Hold time.Duration
	// After is the earliest time at which the window starts.
	After time.Time
	// Passing accepts a state that was entered after that time, even if it did not last. It has no effect if Hold is set.
	Passing bool
}

// nothing is the evidence before anything was observed.
var nothing = Evidence{Ready: func(string) (int, time.Time, error) { return 0, time.Time{}, nil }}

// load returns what a load did in the window, or why that is not known.
func (e Evidence) load(name string) (r target.LoadReading, unknown string) {
	r = e.Loads[name]
	if why := e.Unread[name]; why != "" {
		return r, why
	}
	if share, known := r.SentShare(); known && share < minSent {
		return r, fmt.Sprintf("only %d of %d arrivals left: the load generator was the bottleneck", r.Sent, r.Intended)
	}
	return r, ""
}

// tooFew returns why n calls are not enough for a ratio, or nothing if they are.
func (e Evidence) tooFew(n int64, what string) string {
	if n >= e.Calls {
		return ""
	}
	return fmt.Sprintf("%d calls %s in the window, which needs %d", n, what, e.Calls)
}
