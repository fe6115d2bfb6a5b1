package scenarios

import (
	"fmt"
	"strings"
)

// summary is the report in a sentence or two for people: how it ended, how many calls failed, from when on and for how long.
func (r Report) summary() string {
	if r.Result == Planned {
		return "PLANNED: nothing was touched."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", strings.ToUpper(string(r.Result)))
	var finished, failed, refused int64
	var first, last, outage float64
	for _, l := range r.Load {
		if l.FirstFailedSeconds != nil {
			if failed == 0 || *l.FirstFailedSeconds < first {
				first = *l.FirstFailedSeconds
			}
			last, outage = max(last, *l.LastFailedSeconds), max(outage, l.LongestOutageSeconds)
		}
		finished, failed = finished+l.OK+l.Failed, failed+l.Failed
		for _, n := range l.Refused {
			refused += n
		}
	}
	switch {
	case finished == 0:
		b.WriteString("no call was made.")
	case failed == 0:
		fmt.Fprintf(&b, "none of %d calls failed.", finished)
	default:
		fmt.Fprintf(&b, "%d of %d calls failed, from %+.1f s on, for %.1f s", failed, finished, first, last-first)
		if outage > 0 {
			fmt.Fprintf(&b, "; for up to %.1f s none was answered", outage)
		}
		b.WriteString(".")
	}
	if refused > 0 {
		fmt.Fprintf(&b, " %d of the failed calls never left: their caller's own breaker or limit refused them.", refused)
	}
	return b.String()
}

// NotRun is the report of a scenario that was not begun: nothing of it was judged.
func NotRun(sc Scenario) Report {
	return Report{Scenario: sc.Name, Seed: sc.Seed, Result: Skipped, Summary: "SKIPPED: it was not begun.", Expectations: withUnjudged(sc, nil)}
}

// withUnjudged adds the expectations to which the run did not come, each in its place.
func withUnjudged(sc Scenario, judged []Finding) []Finding {
	out := []Finding{}
	add := func(phase, step string, expectations ...Expectation) {
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
			out = append(out, unjudged(phase, step, x))
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
