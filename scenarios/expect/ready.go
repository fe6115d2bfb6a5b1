package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type ready struct {
	Release  string
	Replicas int
}

func readyKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "ready",
		Doc:  "At least this many pods of a release are ready: in waitFor and recover for `hold`, elsewhere at the time of the check.",
		Fields: []grammar.Field{
			grammar.Required("release", "text", "userservice", "the release"),
			grammar.Required("replicas", "whole number", "3", "the lowest number that meets it"),
		},
		Decode: func(o grammar.Object) Expectation { return ready{o.Text("release"), o.Whole("replicas", 1, 1)} },
	}
}

func (x ready) String() string { return "ready pods of " + x.Release }

func (x ready) Pods() (string, int) { return x.Release, x.Replicas }

func (x ready) Validate() []grammar.Mistake {
	if x.Replicas <= target.MaxPods {
		return nil
	}
	return []grammar.Mistake{{
		Field:   "replicas",
		Message: fmt.Sprintf("%d pods are more than a node can hold, which is %d", x.Replicas, target.MaxPods),
		Remedy:  remedy.Value("replicas: 3"),
	}}
}

func (x ready) DefaultHold() time.Duration { return DefaultHold }

func (x ready) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: ">=", Limit: report.Value{Number: float64(x.Replicas)}, Unit: "pods"}
	n, started, err := e.Ready(x.Release)
	if err != nil {
		return f.Unknown(fmt.Sprintf("listing pods of %s: %s", x.Release, err))
	}
	f.Observed.Number, f.Since = float64(n), started
	return f.Judge(n >= x.Replicas)
}
