package report

import (
	"fmt"
	"strings"
)

// Summarize returns the report in one or two sentences for people: how the run ended, how many calls failed, from when on and for how long,
// and which expectations failed.
func (r Report) Summarize() string {
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
	if names := r.notMet(); r.Result == Fail && len(names) > 0 {
		fmt.Fprintf(&b, " Not as expected: %s.", strings.Join(names, "; "))
	}
	return b.String()
}

func (r Report) notMet() (names []string) {
	for _, f := range r.Expectations {
		if f.Result == NotMet {
			names = append(names, f.Name)
		}
	}
	return names
}
