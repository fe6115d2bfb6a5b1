package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const (
	// stale is the age from which a reading says nothing about the present.
	stale = time.Second
	// enough is how many finished calls a ratio or a quantile over a sliding window needs.
	enough = 20
	// fullySent is the share of arrivals that must have left: below it the load generator was the bottleneck, and what was measured is not
	// the load that the scenario asked for.
	fullySent Share = 0.99
)

// evidence is what was observed, over the window that the asker chose.
type evidence struct {
	loads  map[string]LoadReading
	unread map[string]string    // why a load's window is not known
	began  map[string]time.Time // when a load's window began; empty outside of sliding windows
	least  int64                // finished calls that a ratio needs

	trails   []trail
	deaf     string        // why the breakers are not known
	breakers breakerWindow // how long a state must last
	now      time.Time

	// ready returns the fewest ready pods in the window and when the window began, which is zero outside of sliding windows.
	ready func(release string) (n int, began time.Time, err error)
}

// breakerWindow is the window in which a breaker's state is judged. A state can last milliseconds, so that by default it is judged at one moment.
type breakerWindow struct {
	hold    time.Duration // the state must have lasted this long
	after   time.Time     // a window begins no earlier
	passing bool          // without hold: it is enough that the state was entered after that time
}

// nothing is the evidence before anything was observed.
var nothing = evidence{ready: func(string) (int, time.Time, error) { return 0, time.Time{}, nil }}

// load returns what a load did in the window, or why that is not known.
func (e evidence) load(name string) (LoadReading, string) {
	r := e.loads[name]
	if why := e.unread[name]; why != "" {
		return r, why
	}
	if share, known := r.SentShare(); known && share < fullySent {
		return r, fmt.Sprintf("only %d of %d arrivals left: the load generator was the bottleneck", r.Sent, r.Intended)
	}
	return r, ""
}

// tooFew says why n calls are no basis for a ratio; empty when they are.
func (e evidence) tooFew(n int64, what string) string {
	if n >= e.least {
		return ""
	}
	return fmt.Sprintf("%d calls %s in the window, which needs %d", n, what, e.least)
}

// stateAt is the state of a breaker at a time in the run.
func (t trail) stateAt(at time.Time) telemetry.BreakerState {
	if t.overtaken() && !t.Listed.At.After(at) {
		return t.Listed.State
	}
	state := t.Visits[0].State
	for _, v := range t.Visits {
		if !v.At.After(at) {
			state = v.State
		}
	}
	return state
}

// worstAt is the state of a path: that of its worst breaker.
func worstAt(trails []trail, at time.Time) telemetry.BreakerState {
	worst := telemetry.Closed
	for _, t := range trails {
		if s := t.stateAt(at); severity(s) > severity(worst) {
			worst = s
		}
	}
	return worst
}

// changes are the times at which a breaker of the path changed.
func changes(trails []trail) []time.Time {
	var all []time.Time
	for _, t := range trails {
		for _, v := range t.Visits[1:] {
			all = append(all, v.At)
		}
		if t.overtaken() {
			all = append(all, t.Listed.At)
		}
	}
	return all
}

// lasting is since when the path has been in its present state; zero when it never was in another.
func lasting(trails []trail, now time.Time) time.Time {
	var since time.Time
	state := worstAt(trails, now)
	for _, at := range changes(trails) {
		if at.After(since) && !at.After(now) && worstAt(trails, at.Add(-1)) != state {
			since = at
		}
	}
	return since
}

// passed reports whether the path was in a state at a time after another.
func passed(trails []trail, state telemetry.BreakerState, after time.Time) bool {
	for _, at := range changes(trails) {
		if !at.Before(after) && worstAt(trails, at) == state {
			return true
		}
	}
	return false
}
