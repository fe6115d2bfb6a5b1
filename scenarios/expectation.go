package scenarios

import (
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// Expectation is something that must hold; check is pure in the evidence.
type Expectation interface {
	String() string
	// window is how long it must hold in waitFor and recover, unless the file says otherwise.
	window() time.Duration
	check(e evidence) report.Finding
}

// Expectations lists everything a scenario can expect.
func Expectations() []grammar.Kind[Expectation] {
	return []grammar.Kind[Expectation]{availabilityKind(), latencyKind(), sentKind(), breakerKind(), readyKind()}
}

func check(phase string, expectations []Expectation, e evidence) []report.Finding {
	out := make([]report.Finding, len(expectations))
	for i, x := range expectations {
		out[i] = x.check(e)
		out[i].Phase = phase
	}
	return out
}

// unjudged is an expectation that the run did not reach.
func unjudged(phase, step string, x Expectation) report.Finding {
	f := x.check(nothing).Skip()
	f.Phase, f.Step = phase, step
	return f
}
