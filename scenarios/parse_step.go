package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

var stepFields = []grammar.Field{
	grammar.Required("name", "text", "kill one replica", "what the timeline and heal call it"),
	grammar.Optional("after", "duration", "5s", "wait this long first; 0s unless given"),
	grammar.Optional("waitFor", "one expectation and within", "{breaker: {from: loadgen, to: userservice, state: open}, within: 20s}", "after the action, wait until this holds; a step may do only this"),
}

var waitForFields = []grammar.Field{
	grammar.Required("within", "duration", "20s", "how long it may take to come true"),
	grammar.Optional("hold", "duration", "2s", holdDoc),
}

func readSteps(f *grammar.File, items []grammar.Node) []Step {
	fields := append(slices.Clone(stepFields), grammar.KindFields(action.Grammar())...)
	var out []Step
	names := map[string]int{}
	for i, n := range items {
		f.Enter(i)
		out = append(out, readStep(n, fields, names))
	}
	return out
}

// readStep returns a step even if it has problems, so that references count the steps as written.
func readStep(n grammar.Node, fields []grammar.Field, names map[string]int) Step {
	o, ok := n.Object(fields)
	if !ok {
		return Step{}
	}
	s := Step{Name: o.Text("name"), After: o.Duration("after", 0)}
	o.Unique(names, s.Name)
	does, given := grammar.Pick(o, action.Grammar())
	switch {
	case len(given) > 1:
		n.Problem("make each a step of its own", "a step does one thing, this one does %d: %s", len(given), strings.Join(given, ", "))
	case len(given) == 0 && !o.Has("waitFor"):
		n.Problem("add one of: "+strings.Join(grammar.Names(action.Grammar()), ", ")+", waitFor", "the step does nothing")
	}
	if len(given) > 0 {
		s.Kind, s.Action = given[len(given)-1], does
	}
	if w, ok := o.Fields("waitFor", append(slices.Clone(waitForFields), grammar.KindFields(expect.Kinds())...)); ok {
		s.WaitFor = &WaitFor{Within: w.PositiveDuration("within"), Hold: readHold(w), Condition: grammar.One(w, expect.Kinds(), "expectation")}
	}
	return s
}

// holdDoc describes the field hold.
const holdDoc = "the window, wholly after the last change, in which it must be true; 2s unless given, and 0s for a breaker, whose states can last milliseconds"

// pulse is how often a condition is looked at and the abort limits are judged.
const pulse = 250 * time.Millisecond
