// Package spec is the scenario file: its types, its fields and its checks.
//
// [Parse] reads a file with package grammar and the catalogs of packages action and expect. It then refuses what can be written and makes no sense,
// such as a limit that can never be exceeded. [Scenario.Check] looks up the names that only the charts and protos know. None of this needs a
// cluster.
//
//	file ─ Parse ─▶ Scenario ─ Check(Catalog) ─▶ Scenario that can be planned
package spec

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// The apiVersion and kind of a scenario file.
const (
	APIVersion = "sandbox.dev/v1alpha1"
	FileKind   = "Scenario"
)

// Scenario is a scenario file that was parsed.
type Scenario struct {
	// File is the name under which the file was read.
	File string
	// Name and Description are those of the metadata.
	Name        string
	Description string
	// Seed determines the choice of targets and the arrivals of loads. The same seed replays them.
	Seed uint64
	// Load has the loads, which are sent from before the steady state to the verdict.
	Load []target.LoadSpec
	// Steady, Steps and Recover are the phases in which the run acts and waits, in order.
	Steady  Steady
	Steps   []Step
	Recover Recover
	// Expect is what must be true from the start of the loads to their stop. One exceeded limit in Abort stops the run immediately.
	Expect []expect.Expectation
	Abort  []expect.Limit
	// Source is the file as written.
	Source []byte

	// lines has the line of each field, by its path.
	lines map[string]int
}

// Steady is the baseline. Nothing is broken unless it is met.
type Steady struct {
	// For is how long the baseline is measured. Every expectation must be met over that time.
	For    time.Duration
	Expect []expect.Expectation
}

// Step waits for After, does its action, waits for its condition, and then measures. One of Action, WaitFor and Measure is not nil.
type Step struct {
	// Name is unique in the file. The action heal and the timeline use it.
	Name string
	// After is how long to wait first. Default: 0.
	After time.Duration
	// Kind is the name of the action in the catalog. It is empty without an action.
	Kind string
	// Action is nil for a step that only waits or measures, WaitFor and Measure are nil if the step does not wait or measure.
	Action  action.Action
	WaitFor *WaitFor
	Measure *Measure
}

// Measure is what must be true over a window of a step. The steps after it are done also if it is not.
type Measure struct {
	// For is the length of the window, which starts when the action is done and the condition is true.
	For    time.Duration
	Expect []expect.Expectation
}

// WaitFor is a condition and the time that it has to become true.
type WaitFor struct {
	Condition expect.Expectation
	// Within is how long to wait at most. The steps after this one are left out if the condition has not become true by then.
	Within time.Duration
	// Hold is how long the condition must be true. nil means the default of its kind.
	Hold *time.Duration
}

// String describes what is waited for, and for how long.
func (w WaitFor) String() string {
	return fmt.Sprintf("wait up to %s for %s %s", w.Within, w.Condition, expect.LimitText(w.Condition))
}

// Recover is what must be true again after the last step, and how soon.
type Recover struct {
	// Within is how long recovery may take.
	Within time.Duration
	// Hold is how long each expectation must be true. nil means the default of its kind.
	Hold *time.Duration
	// Expect is what must be true, all at the same time.
	Expect []expect.Expectation
}

// LongestHold returns the length of the longest window in which expectations of a scenario must be true.
func (sc Scenario) LongestHold() time.Duration {
	longest := expect.DefaultHold
	if sc.Recover.Hold != nil {
		longest = max(longest, *sc.Recover.Hold)
	}
	for _, s := range sc.Steps {
		if s.WaitFor != nil && s.WaitFor.Hold != nil {
			longest = max(longest, *s.WaitFor.Hold)
		}
		if s.Measure != nil {
			longest = max(longest, s.Measure.For)
		}
	}
	return longest
}

// Mistake returns an error for a mistake in the file that only the state of the cluster reveals. The path names a field, such as
// spec.steps[0].scale.replicas.
func (sc Scenario) Mistake(path string, fix remedy.Remedy, format string, args ...any) error {
	p := problems{sc: sc}
	p.add(path, fix, format, args...)
	return grammar.NewFileError(p.all)
}
