package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
)

// What a scenario file must declare itself to be.
const (
	APIVersion = "sandbox.dev/v1alpha1"
	FileKind   = "Scenario"
)

// Scenario is a parsed and checked scenario file.
type Scenario struct {
	File        string // where it was read from
	Name        string
	Description string
	Seed        uint64 // target choice and load arrivals replay from it
	Load        []LoadSpec
	Steady      Steady
	Steps       []Step
	Recover     Recover
	Expect      []expect.Expectation
	Abort       []expect.Limit
	Source      []byte // the file as written

	lines map[string]int // of each field, by its path
}

// Steady is the baseline that must hold before anything is broken.
type Steady struct {
	For    time.Duration
	Expect []expect.Expectation
}

// Step waits for After, does its action, then waits for its condition; Action or WaitFor may be nil, not both.
type Step struct {
	Name    string
	After   time.Duration
	Kind    string // the action's name in the catalog; empty without an action
	Action  action.Action
	WaitFor *WaitFor
}

// WaitFor is a condition and the time it has to come true.
type WaitFor struct {
	Condition expect.Expectation
	Within    time.Duration
	Hold      *time.Duration // how long it must be true; nil: as long as the expectation's kind says
}

func (w WaitFor) String() string {
	return fmt.Sprintf("wait up to %s for %s %s", w.Within, w.Condition, expect.LimitText(w.Condition))
}

// Recover says what must hold again after the last step, and how soon.
type Recover struct {
	Within time.Duration
	Hold   *time.Duration // how long it must hold; nil: as long as each expectation's kind says
	Expect []expect.Expectation
}
