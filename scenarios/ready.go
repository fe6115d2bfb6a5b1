package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type ready struct {
	Release  string
	Replicas int
}

func readyKind() ExpectationKind {
	return ExpectationKind{
		Name: "ready",
		Doc:  "At least this many pods of a release are ready: in waitFor and recover for `hold`, elsewhere at the moment of asking.",
		Fields: []Field{
			{"release", "text", true, "userservice", "whose pods"},
			{"replicas", "whole number", true, "3", "the least that satisfies it"},
		},
		decode: func(o object) Expectation { return ready{o.text("release"), o.whole("replicas", 1, 1)} },
	}
}

func (x ready) String() string { return "ready pods of " + x.Release }

func (x ready) window() time.Duration { return defaultHold }

func (x ready) check(e evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: ">=", Limit: report.Value{Number: float64(x.Replicas)}, Unit: "pods"}
	n, began, err := e.ready(x.Release)
	if err != nil {
		return f.Unknown(fmt.Sprintf("listing pods of %s: %s", x.Release, err))
	}
	f.Observed.Number, f.Since = float64(n), began
	return f.Judge(n >= x.Replicas)
}
