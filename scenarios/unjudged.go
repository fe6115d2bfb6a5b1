package scenarios

import (
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// NotRun is the report of a scenario that was not begun: nothing of it was judged.
func NotRun(sc Scenario) report.Report {
	return report.Report{Scenario: sc.Name, Seed: sc.Seed, Result: report.Skipped, Summary: "SKIPPED: it was not begun.", Expectations: withUnjudged(sc, nil)}
}

// withUnjudged adds the expectations to which the run did not come, each in its place.
func withUnjudged(sc Scenario, judged []report.Finding) []report.Finding {
	out := []report.Finding{}
	add := func(phase, step string, expectations ...expect.Expectation) {
		n := len(out)
		for _, f := range judged {
			if f.Phase == phase && f.Step == step {
				out = append(out, f)
			}
		}
		if len(out) > n {
			return
		}
		for _, x := range expectations {
			out = append(out, expect.NotJudged(phase, step, x))
		}
	}
	add("steady", "", sc.Steady.Expect...)
	for _, s := range sc.Steps {
		if s.WaitFor != nil {
			add("steps", s.Name, s.WaitFor.Condition)
		}
	}
	add("recover", "", sc.Recover.Expect...)
	add("verdict", "", sc.Expect...)
	return out
}
