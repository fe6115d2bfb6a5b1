package expect

import (
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// StateTrace is every state that one circuit breaker was in since the run started, in order.
type StateTrace struct {
	// From is the caller and To the callee. Method has the form package.Service/Method.
	From, To, Method string
	// Pod is the pod of the caller; empty if it is not known.
	Pod string
	// Visits has at least one visit.
	Visits []Visit
	// Listed is the state in the last list of breakers, and when it was entered. It is zero if no list followed the start of the trace.
	Listed Visit
	// Gap is true if a change was missed, or if changes do not fit together because two processes share the name.
	Gap bool
}

// Visit is a state and the time at which it was entered. The time of the first visit may be unknown, which is zero.
type Visit struct {
	State telemetry.BreakerState
	At    time.Time
}

// Last returns the last visit.
func (t StateTrace) Last() Visit { return t.Visits[len(t.Visits)-1] }

// Outdated reports whether the breaker has changed after the last visit, according to the list.
func (t StateTrace) Outdated() bool { return t.Listed.At.After(t.Last().At) }

// Now returns the present state.
func (t StateTrace) Now() telemetry.BreakerState {
	if t.Outdated() {
		return t.Listed.State
	}
	return t.Last().State
}

// States returns the states without their times.
func (t StateTrace) States() []telemetry.BreakerState {
	out := make([]telemetry.BreakerState, len(t.Visits))
	for i, v := range t.Visits {
		out[i] = v.State
	}
	return out
}

// During returns how long the breaker was in a state between two times.
func (t StateTrace) During(s telemetry.BreakerState, from, until time.Time) time.Duration {
	var sum time.Duration
	for i, v := range t.Visits {
		end := until
		if i+1 < len(t.Visits) {
			end = t.Visits[i+1].At
		}
		start := v.At
		if start.Before(from) {
			start = from
		}
		if v.State == s && end.After(start) {
			sum += end.Sub(start)
		}
	}
	return sum
}

// Entered returns the first time, not before from, at which the breaker changed to a state.
func (t StateTrace) Entered(s telemetry.BreakerState, from time.Time) (time.Time, bool) {
	for i, v := range t.Visits {
		if i > 0 && v.State == s && !v.At.Before(from) {
			return v.At, true
		}
	}
	return time.Time{}, false
}

func (t StateTrace) changed() bool { return len(t.Visits) > 1 }

// stateAt returns the state at a time in the run.
func (t StateTrace) stateAt(at time.Time) telemetry.BreakerState {
	if t.Outdated() && !t.Listed.At.After(at) {
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

// worstAt returns the state of a path, which is that of its worst breaker.
func worstAt(path []StateTrace, at time.Time) telemetry.BreakerState {
	worst := telemetry.Closed
	for _, t := range path {
		if s := t.stateAt(at); severity(s) > severity(worst) {
			worst = s
		}
	}
	return worst
}

func severity(s telemetry.BreakerState) int {
	switch s {
	case telemetry.Open:
		return 2
	case telemetry.HalfOpen:
		return 1
	default:
		return 0
	}
}

// changeTimes returns the times at which a breaker of the path changed.
func changeTimes(path []StateTrace) []time.Time {
	var all []time.Time
	for _, t := range path {
		for _, v := range t.Visits[1:] {
			all = append(all, v.At)
		}
		if t.Outdated() {
			all = append(all, t.Listed.At)
		}
	}
	return all
}

// lastingSince returns the time since which the path has been in its present state; zero if it never was in another one.
func lastingSince(path []StateTrace, now time.Time) time.Time {
	var since time.Time
	state := worstAt(path, now)
	for _, at := range changeTimes(path) {
		if at.After(since) && !at.After(now) && worstAt(path, at.Add(-1)) != state {
			since = at
		}
	}
	return since
}

// passed reports whether the path entered a state at or after a time.
func passed(path []StateTrace, state telemetry.BreakerState, after time.Time) bool {
	for _, at := range changeTimes(path) {
		if !at.Before(after) && worstAt(path, at) == state {
			return true
		}
	}
	return false
}

// subsequence reports whether the wanted states occur in this order, with any others between.
func subsequence(got, want []telemetry.BreakerState) bool {
	for _, s := range got {
		if len(want) > 0 && s == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func arrows(states []telemetry.BreakerState) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, " → ")
}
