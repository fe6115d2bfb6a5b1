package scenarios

import (
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// NotRun returns the report of a scenario that was not started.
func NotRun(sc Scenario) report.Report {
	return report.Report{
		Scenario: sc.Name, Seed: sc.Seed, Result: report.Skipped, Summary: "SKIPPED: it was not started.", Expectations: withUnjudged(sc, nil),
	}
}

// withUnjudged adds the expectations that the run did not reach, in the order of the file.
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
		if s.Measure != nil {
			add("measure", s.Name, s.Measure.Expect...)
		}
	}
	add("recover", "", sc.Recover.Expect...)
	add("verdict", "", sc.Expect...)
	return out
}
