package scenarios

import (
	"fmt"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type breaker struct {
	From, To, Method string
	Trace            []telemetry.BreakerState // exactly these, from the start of the run
	Visits           []telemetry.BreakerState // these in this order, with any others between
	State            telemetry.BreakerState   // this one now
}

func breakerKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "breaker",
		Doc: "What a caller's circuit breakers did, from the events they sent. Give one of trace, visits and state. " +
			"trace and visits must be true of every breaker on the path that changed at all, or of all of them when none did; " +
			"state is that of the worst one (open, then half-open, then closed).",
		Fields: []grammar.Field{
			grammar.Required("from", "text", "loadgen", "the caller, whose breaker it is"),
			grammar.Required("to", "text", "userservice", "the callee"),
			grammar.Optional("method", "method", "user.v1.UserService/GetUser", "only this method's breaker; all unless given"),
			grammar.Optional("trace", "list of states", "[closed, open, half-open, closed]", "exactly these states since the run began, the first being the state at its start"),
			grammar.Optional("visits", "list of states", "[closed, open, half-open, closed]", "these states in this order, with any others between; for a breaker that probes more than once"),
			grammar.Optional("state", "state", "closed", "the state at the moment of asking"),
		},
		Decode: decodeBreaker,
	}
}

func decodeBreaker(o grammar.Object) Expectation {
	x := breaker{
		From: o.Text("from"), To: o.Text("to"), Method: o.Text("method"),
		Trace: o.States("trace"), Visits: o.States("visits"), State: o.State("state"),
	}
	given := 0
	for _, name := range []string{"trace", "visits", "state"} {
		if o.Has(name) {
			given++
		}
	}
	if given != 1 {
		o.Problem("try: state: closed", "want one of trace, visits and state, got %d", given)
	}
	return x
}

func (x breaker) String() string {
	path := x.From + " → " + x.To
	if x.Method != "" {
		path += " " + x.Method
	}
	switch {
	case x.State != "":
		return "breaker state " + path
	case len(x.Visits) > 0:
		return "breaker visits " + path
	default:
		return "breaker trace " + path
	}
}

// window is 0: a state can last milliseconds.
func (x breaker) window() time.Duration { return 0 }

func (x breaker) check(e evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: "=", Unit: "state"}
	if x.State != "" {
		f.Limit.Text = string(x.State)
	} else {
		f.Unit, f.Limit.Text = "states", arrows(x.Trace)
		if len(x.Visits) > 0 {
			f.Comparison, f.Limit.Text = "visits", arrows(x.Visits)
		}
	}
	on := x.on(e.trails)
	switch {
	case e.deaf != "":
		return f.Unknown(e.deaf)
	case len(on) == 0:
		return f.Unknown("no breaker on this path was reported")
	case x.State != "":
		return x.checkState(f, on, e)
	default:
		return x.checkStates(f, on)
	}
}

// checkState judges the path's state now, for as long as the window is.
func (x breaker) checkState(f report.Finding, on []trail, e evidence) report.Finding {
	state, now := telemetry.BreakerState(""), e.now
	for _, t := range on {
		if s := t.now(); state == "" || severity(s) > severity(state) {
			state = s
		}
	}
	f.Observed.Text = string(state)
	w := e.breakers
	if state != x.State && w.passing && w.hold == 0 && passed(on, x.State, w.after) {
		f.Note, state = "it was "+string(x.State)+" in between", x.State
	}
	f.Since = lasting(on, now)
	if w.hold > 0 {
		from := f.Since
		if from.Before(w.after) {
			from = w.after
		}
		if lasted := now.Sub(from); state == x.State && lasted < w.hold {
			f.Note = fmt.Sprintf("for %s, which must be %s", lasted.Round(time.Millisecond), w.hold)
			return f.Judge(false)
		}
	}
	return f.Judge(state == x.State)
}

// checkStates judges the states since the run began.
func (x breaker) checkStates(f report.Finding, on []trail) report.Finding {
	want, matches := x.Trace, slices.Equal[[]telemetry.BreakerState]
	if len(x.Visits) > 0 {
		want, matches = x.Visits, visits
	}
	if slices.ContainsFunc(on, trail.changed) {
		on = slices.DeleteFunc(on, func(t trail) bool { return !t.changed() })
	}
	shown, met := on[0], true
	for _, t := range on {
		if !matches(t.states(), want) && met {
			shown, met = t, false
		}
		if last := t.last().At; last.After(f.Since) && t.changed() {
			f.Since = last
		}
	}
	f.Observed.Text = arrows(shown.states())
	if len(on) > 1 {
		f.Note = fmt.Sprintf("shown: %s, one of %d", shown.Method, len(on))
	}
	if slices.ContainsFunc(on, func(t trail) bool { return t.Gap }) {
		f.Note = "the events do not join up: one was missed, or several processes share this caller's name"
		met = met && len(x.Trace) == 0
	}
	return f.Judge(met)
}

// on selects the trails of the path; the slice is the caller's own.
func (x breaker) on(trails []trail) []trail {
	var out []trail
	for _, t := range trails {
		if t.From == x.From && t.To == x.To && (x.Method == "" || t.Method == x.Method) {
			out = append(out, t)
		}
	}
	return out
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
