package spec

import (
	"fmt"
	"iter"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// placed is an expectation and the place in which it is written.
type placed struct {
	expect.Expectation
	// path is the path of the expectation, such as spec.expect[0].availability.
	path string
	// list is the path of the list or the waitFor that contains it, such as spec.expect.
	list string
	// window is the field that sets the sliding window over which the expectation is judged, such as hold. It is empty if there is no such window.
	window string
	// hold is the value of that field, nil if it is absent.
	hold *time.Duration
}

// expectations lists every expectation of a scenario.
func (sc Scenario) expectations() []placed {
	var out []placed
	all := func(list string, expectations []expect.Expectation, window string, hold *time.Duration) {
		for i, x := range expectations {
			out = append(out, placed{x, sc.conditionPath(fmt.Sprintf("%s[%d]", list, i)), list, window, hold})
		}
	}
	all("spec.steady.expect", sc.Steady.Expect, "", nil)
	for i, s := range sc.Steps {
		if s.WaitFor != nil {
			at := fmt.Sprintf("spec.steps[%d].waitFor", i)
			out = append(out, placed{s.WaitFor.Condition, sc.conditionPath(at), at, "hold", s.WaitFor.Hold})
		}
		if s.Measure != nil {
			all(fmt.Sprintf("spec.steps[%d].measure.expect", i), s.Measure.Expect, "for", &s.Measure.For)
		}
	}
	all("spec.recover.expect", sc.Recover.Expect, "hold", sc.Recover.Hold)
	all("spec.expect", sc.Expect, "", nil)
	return out
}

// Metrics returns the expectations about metrics, by their paths.
func (sc Scenario) Metrics() iter.Seq2[string, expect.OfMetric] {
	return func(yield func(string, expect.OfMetric) bool) {
		for _, x := range sc.expectations() {
			if about, ok := x.Expectation.(expect.OfMetric); ok && !yield(x.path, about) {
				return
			}
		}
	}
}

// ActionPath returns the path of the action of a step, such as spec.steps[0].scale.
func (sc Scenario) ActionPath(step int) string {
	return fmt.Sprintf("spec.steps[%d].%s", step, sc.Steps[step].Kind)
}

// WaitForPath returns the path of the condition that a step waits for, such as spec.steps[0].waitFor.ready.
func (sc Scenario) WaitForPath(step int) string {
	return sc.conditionPath(fmt.Sprintf("spec.steps[%d].waitFor", step))
}

// conditionPath returns the path of the expectation that is written in an object.
func (sc Scenario) conditionPath(at string) string {
	return sc.kindPath(at, grammar.Names(expect.Kinds()))
}

// kindPath returns the path of the entry of a catalog that is written in an object, or that of the object if there is none.
func (sc Scenario) kindPath(at string, names []string) string {
	for _, name := range names {
		if _, ok := sc.lines[at+"."+name]; ok {
			return at + "." + name
		}
	}
	return at
}
