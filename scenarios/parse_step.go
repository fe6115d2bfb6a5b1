package scenarios

import (
	"strings"
	"time"
)

var stepFields = []Field{
	{"name", "text", true, "kill one replica", "what the timeline and heal call it"},
	{"after", "duration", false, "5s", "wait this long first; 0s unless given"},
	{"waitFor", "one expectation and within", false, "{breaker: {from: loadgen, to: userservice, state: open}, within: 20s}", "after the action, wait until this holds; a step may do only this"},
}

var waitForFields = []Field{
	{"within", "duration", true, "20s", "how long it may take to come true"},
	{"hold", "duration", false, "2s", holdDoc},
}

func (f *reading) steps(items []node) []Step {
	fields := append([]Field(nil), stepFields...)
	for _, a := range Actions() {
		fields = append(fields, Field{Name: a.Name})
	}
	var out []Step
	names := map[string]int{}
	for i, n := range items {
		f.step = i
		out = append(out, f.stepOf(n, fields, names))
	}
	return out
}

// stepOf yields a step even when it has problems, so that references count the steps as written.
func (f *reading) stepOf(n node, fields []Field, names map[string]int) Step {
	o, ok := n.object(fields)
	if !ok {
		return Step{}
	}
	s := Step{Name: o.text("name"), After: o.duration("after", 0)}
	unique(names, o, s.Name)
	var given []string
	for _, a := range Actions() {
		if m, ok := o.members[a.Name]; ok {
			given = append(given, a.Name)
			s.Kind = a.Name
			if fields, ok := m.object(a.Fields); ok {
				s.Action = a.decode(fields)
			}
		}
	}
	switch {
	case len(given) > 1:
		n.problem("make each a step of its own", "a step does one thing, this one does %d: %s", len(given), strings.Join(given, ", "))
	case len(given) == 0 && !o.has("waitFor"):
		n.problem("add one of: "+strings.Join(actionNames(), ", ")+", waitFor", "the step does nothing")
	}
	if w, ok := o.members["waitFor"]; ok {
		s.WaitFor = waitFor(w)
	}
	return s
}

func waitFor(n node) *WaitFor {
	o, ok := n.object(append(append([]Field(nil), waitForFields...), expectationFields()...))
	if !ok {
		return nil
	}
	w := &WaitFor{Within: o.span("within"), Hold: o.hold()}
	w.Condition = o.oneExpectation()
	return w
}

// expectations reads a list whose entries each hold one expectation.
func expectations(items []node) []Expectation {
	var out []Expectation
	for _, n := range items {
		if o, ok := n.object(expectationFields()); ok {
			out = append(out, o.oneExpectation())
		}
	}
	return out
}

func (o object) oneExpectation() Expectation {
	var found Expectation
	var given []string
	for _, k := range Expectations() {
		if m, ok := o.members[k.Name]; ok {
			given = append(given, k.Name)
			if fields, ok := m.object(k.Fields); ok {
				found = k.decode(fields)
			}
		}
	}
	if len(given) != 1 {
		o.problem("give one of: "+namesOf(expectationFields()), "want one expectation, got %d", len(given))
	}
	return found
}

func expectationFields() []Field {
	var out []Field
	for _, k := range Expectations() {
		out = append(out, Field{Name: k.Name})
	}
	return out
}

// aborts reads a list whose entries each hold one limit.
func aborts(items []node) []AbortRule {
	var fields []Field
	for _, k := range AbortRules() {
		fields = append(fields, Field{Name: k.Name})
	}
	var out []AbortRule
	for _, n := range items {
		o, ok := n.object(fields)
		if !ok {
			continue
		}
		if len(o.members) != 1 {
			n.problem("give one of: "+namesOf(fields), "want one limit, got %d", len(o.members))
		}
		for _, k := range AbortRules() {
			if m, ok := o.members[k.Name]; ok {
				if fields, ok := m.object(k.Fields); ok {
					out = append(out, k.decode(fields))
				}
			}
		}
	}
	return out
}

// holdDoc describes the field hold.
const holdDoc = "the window, wholly after the last change, in which it must be true; 2s unless given, and 0s for a breaker, whose states can last milliseconds"

// hold reads how long a condition must be true; nil when the file does not say.
func (o object) hold() *time.Duration {
	if !o.has("hold") {
		return nil
	}
	return new(o.duration("hold", defaultHold))
}

// pulse is how often a condition is looked at and the abort limits are judged.
const pulse = 250 * time.Millisecond
