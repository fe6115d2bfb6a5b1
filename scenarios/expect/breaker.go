package expect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type breaker struct {
	From, To, Method string
	// Trace is the exact sequence of states since the start of the run.
	Trace []telemetry.BreakerState
	// Visits are states that must occur in this order, with any others in between.
	Visits []telemetry.BreakerState
	// State is the present state.
	State telemetry.BreakerState
}

func breakerKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "breaker",
		Doc: "The states of a caller's circuit breakers. Give one of trace, visits and state. " +
			"trace and visits must match every breaker on the path that changed, or all of them if none changed. " +
			"state is that of the worst breaker: open, then half-open, then closed.",
		Fields: []grammar.Field{
			grammar.Required("from", "text", "loadgen", "the caller that has the breaker"),
			grammar.Required("to", "text", "userservice", "the callee"),
			grammar.Optional("method", "method", "user.v1.UserService/GetUser", "only the breaker of this method; default all"),
			grammar.Optional("trace", "list of states", "[closed, open, half-open, closed]",
				"exactly these states since the run started, including the one at its start"),
			grammar.Optional("visits", "list of states", "[closed, open, half-open, closed]",
				"these states in this order, with any others between; for a breaker that probes more than once"),
			grammar.Optional("state", "state", "closed", "the present state"),
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
		o.Problem(remedy.Value("state: closed"), "want one of trace, visits and state, got %d", given)
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

// nextStates are the changes that a breaker can make.
var nextStates = map[telemetry.BreakerState][]telemetry.BreakerState{
	telemetry.Closed:   {telemetry.Open},
	telemetry.Open:     {telemetry.HalfOpen},
	telemetry.HalfOpen: {telemetry.Open, telemetry.Closed},
}

// Validate finds traces that no breaker makes.
func (x breaker) Validate() []grammar.Mistake {
	var all []grammar.Mistake
	for i := 1; i < len(x.Trace); i++ {
		if from, to := x.Trace[i-1], x.Trace[i]; !slices.Contains(nextStates[from], to) {
			all = append(all, grammar.Mistake{
				Field:   fmt.Sprintf("trace[%d]", i),
				Message: fmt.Sprintf("no breaker goes from %s to %s", from, to),
				Remedy:  remedy.Advice("follow closed → open → half-open, and from there open or closed; visits allows for gaps"),
			})
			break
		}
	}
	if x.Method != "" && !grammar.IsMethod(x.Method) {
		all = append(all, grammar.Mistake{
			Field: "method", Message: fmt.Sprintf("want package.Service/Method, got %q", x.Method), Remedy: remedy.Value("user.v1.UserService/GetUser"),
		})
	}
	return all
}

func (x breaker) Caller() string { return x.From }

func (x breaker) Callee() (service, method string) { return x.To, x.Method }

// DefaultHold is 0, because a state can last milliseconds.
func (x breaker) DefaultHold() time.Duration { return 0 }

func (x breaker) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: "=", Unit: "state"}
	if x.State != "" {
		f.Limit.Text = string(x.State)
	} else {
		f.Unit, f.Limit.Text = "states", arrows(x.Trace)
		if len(x.Visits) > 0 {
			f.Comparison, f.Limit.Text = "visits", arrows(x.Visits)
		}
	}
	path := x.path(e.Traces)
	switch {
	case e.UnknownTraces != "":
		return f.Unknown(e.UnknownTraces)
	case len(path) == 0:
		return f.Unknown("no breaker on this path was reported")
	case x.State != "":
		return x.checkState(f, path, e)
	default:
		return x.checkStates(f, path)
	}
}

// checkState judges the present state of the path, over the window if there is one.
func (x breaker) checkState(f report.Finding, path []StateTrace, e Evidence) report.Finding {
	state := telemetry.BreakerState("")
	for _, t := range path {
		if s := t.Now(); state == "" || severity(s) > severity(state) {
			state = s
		}
	}
	f.Observed.Text = string(state)
	w := e.BreakerWindow
	if state != x.State && w.Passing && w.Hold == 0 && passed(path, x.State, w.After) {
		f.Note, state = "it was "+string(x.State)+" in between", x.State
	}
	f.Since = lastingSince(path, e.Now)
	if w.Hold > 0 {
		from := f.Since
		if from.Before(w.After) {
			from = w.After
		}
		if lasted := e.Now.Sub(from); state == x.State && lasted < w.Hold {
			f.Note = fmt.Sprintf("for %s, which must be %s", lasted.Round(time.Millisecond), w.Hold)
			return f.Judge(false)
		}
	}
	return f.Judge(state == x.State)
}

// checkStates judges the states since the run started.
func (x breaker) checkStates(f report.Finding, path []StateTrace) report.Finding {
	want, matches := x.Trace, slices.Equal[[]telemetry.BreakerState]
	if len(x.Visits) > 0 {
		want, matches = x.Visits, subsequence
	}
	if slices.ContainsFunc(path, StateTrace.changed) {
		path = slices.DeleteFunc(path, func(t StateTrace) bool { return !t.changed() })
	}
	shown, met := path[0], true
	for _, t := range path {
		if !matches(t.States(), want) && met {
			shown, met = t, false
		}
		if last := t.Last().At; last.After(f.Since) && t.changed() {
			f.Since = last
		}
	}
	f.Observed.Text = arrows(shown.States())
	if len(path) > 1 {
		f.Note = fmt.Sprintf("shown: %s, one of %d", strings.TrimSpace(shown.Method+" "+shown.Pod), len(path))
	}
	if slices.ContainsFunc(path, func(t StateTrace) bool { return t.Gap }) {
		f.Note = "the events have a gap: one was missed, or several processes share this caller's name"
		met = met && len(x.Trace) == 0
	}
	return f.Judge(met)
}

// path selects the traces of the breakers on the path. The slice is a copy.
func (x breaker) path(traces []StateTrace) []StateTrace {
	var out []StateTrace
	for _, t := range traces {
		if t.From == x.From && t.To == x.To && (x.Method == "" || t.Method == x.Method) {
			out = append(out, t)
		}
	}
	return out
}
