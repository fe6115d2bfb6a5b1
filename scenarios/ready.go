package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type ready struct {
	Release  string
	Replicas int
}

func readyKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "ready",
		Doc:  "At least this many pods of a release are ready: in waitFor and recover for `hold`, elsewhere at the moment of asking.",
		Fields: []grammar.Field{
			grammar.Required("release", "text", "userservice", "whose pods"),
			grammar.Required("replicas", "whole number", "3", "the least that satisfies it"),
		},
		Decode: func(o grammar.Object) Expectation { return ready{o.Text("release"), o.Whole("replicas", 1, 1)} },
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
