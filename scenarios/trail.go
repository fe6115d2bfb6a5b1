package scenarios

import (
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// A trail is every state one breaker was in since the run began, in order.
type trail struct {
	From, To, Method string
	Visits           []visit
	Listed           visit // as the breaker was listed last; zero before that
	Gap              bool  // a change did not start from the state before it: one was missed, or two processes share the name
}

type visit struct {
	State telemetry.BreakerState
	At    time.Time // when it was entered; of the first it may be zero: not known
}

func (t trail) last() visit { return t.Visits[len(t.Visits)-1] }

// overtaken says whether the breaker has changed since the last change that was heard of.
func (t trail) overtaken() bool { return t.Listed.At.After(t.last().At) }

func (t trail) now() telemetry.BreakerState {
	if t.overtaken() {
		return t.Listed.State
	}
	return t.last().State
}

func (t trail) changed() bool { return len(t.Visits) > 1 }

func (t trail) states() []telemetry.BreakerState {
	out := make([]telemetry.BreakerState, len(t.Visits))
	for i, v := range t.Visits {
		out[i] = v.State
	}
	return out
}

// during is how long the breaker was in a state, from a moment on until another.
func (t trail) during(s telemetry.BreakerState, from, until time.Time) time.Duration {
	var sum time.Duration
	for i, v := range t.Visits {
		end := until
		if i+1 < len(t.Visits) {
			end = t.Visits[i+1].At
		}
		begin := v.At
		if begin.Before(from) {
			begin = from
		}
		if v.State == s && end.After(begin) {
			sum += end.Sub(begin)
		}
	}
	return sum
}

// entered is the first moment at or after from at which the breaker went into a state.
func (t trail) entered(s telemetry.BreakerState, from time.Time) (time.Time, bool) {
	for i, v := range t.Visits {
		if i > 0 && v.State == s && !v.At.Before(from) {
			return v.At, true
		}
	}
	return time.Time{}, false
}

// visits says whether want is a subsequence of got.
func visits(got, want []telemetry.BreakerState) bool {
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
