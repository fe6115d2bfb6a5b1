package spec

import (
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

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
		n.Problem(remedy.Advice("make each a step of its own"), "a step has one action, this one has %d: %s", len(given), strings.Join(given, ", "))
	case len(given) == 0 && !o.Has("waitFor") && !o.Has("measure"):
		n.Problem(remedy.OneOf(append(grammar.Names(action.Grammar()), "waitFor", "measure")...), "the step does nothing")
	}
	if len(given) > 0 {
		s.Kind, s.Action = given[len(given)-1], does
	}
	if w, ok := o.Fields("waitFor", append(slices.Clone(waitForFields), grammar.KindFields(expect.Kinds())...)); ok {
		s.WaitFor = &WaitFor{Within: w.PositiveDuration("within"), Hold: readHold(w), Condition: grammar.One(w, expect.Kinds(), "expectation")}
	}
	if m, ok := o.Fields("measure", measureFields); ok {
		s.Measure = &Measure{For: m.PositiveDuration("for"), Expect: readExpectations(m.List("expect"))}
	}
	return s
}
