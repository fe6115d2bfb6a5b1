// Package expect has what a scenario can expect of a run, and the limits that stop it.
//
// Each kind of [Expectation] is a file with a test. It is an entry of the catalog [Kinds], which the reader of scenario files, the README, the JSON
// Schema and the tests range over. A check is a pure function from [Evidence] to a finding. An expectation without data fails.
package expect

import (
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// Expectation is a condition that must be true.
type Expectation interface {
	// String names the condition without its limit, such as "availability of browse".
	String() string
	// DefaultHold returns how long the condition must be true in waitFor and recover if the file does not say.
	DefaultHold() time.Duration
	// Check compares the evidence with the limit. It must have no side effects.
	Check(e Evidence) report.Finding
}

// The optional abilities of an expectation. One that can be written and still makes no sense also implements [grammar.Validator].
type (
	// OfLoad is an expectation about the calls of a load.
	OfLoad interface {
		// Load returns the name of the load.
		Load() string
	}
	// OfPods is an expectation about the ready pods of a release. Its fields are called release and replicas.
	OfPods interface {
		// Pods returns the name of the release and the lowest number that meets the expectation.
		Pods() (release string, atLeast int)
	}
	// OfBreaker is an expectation about the circuit breakers on the path to a service. Its fields are called from, to and method; the method may be empty.
	OfBreaker interface {
		// Caller returns the workload that has the breakers.
		Caller() string
		// Callee returns the service and the method that the breakers are for.
		Callee() (service, method string)
	}
	// OfMetric is an expectation about what a PromQL query yields over a window. Its field is called query.
	OfMetric interface {
		// QueryOver returns the query for a window that ends now.
		QueryOver(window time.Duration) string
	}
)

// Kinds lists every kind of expectation.
func Kinds() []grammar.Kind[Expectation] {
	return []grammar.Kind[Expectation]{availabilityKind(), latencyKind(), sentKind(), breakerKind(), readyKind(), metricKind()}
}

// DefaultHold is the length of the window over which waitFor and recover are judged, unless the file or the kind says otherwise.
const DefaultHold = 2 * time.Second

// CheckAll checks expectations on the same evidence.
func CheckAll(phase string, expectations []Expectation, e Evidence) []report.Finding {
	out := make([]report.Finding, len(expectations))
	for i, x := range expectations {
		out[i] = x.Check(e)
		out[i].Phase = phase
	}
	return out
}

// LimitText returns the limit of an expectation as people read it, such as "≥ 99.9 %".
func LimitText(x Expectation) string { return x.Check(nothing).LimitText() }

// NotJudged returns the finding for an expectation that the run did not reach.
func NotJudged(phase, step string, x Expectation) report.Finding {
	f := x.Check(nothing).Skip()
	f.Phase, f.Step = phase, step
	return f
}
