package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// breakerTimes adds the times of the first breaker that opened after the fault.
func breakerTimes(r report.Recovery, traces []expect.StateTrace, fault, until time.Time) report.Recovery {
	if fault.IsZero() {
		return r
	}
	var first *expect.StateTrace
	var opened time.Time
	for i := range traces {
		if at, ok := traces[i].Entered("open", fault); ok && (first == nil || at.Before(opened)) {
			first, opened = &traces[i], at
		}
	}
	if first == nil {
		return r
	}
	r.DetectSeconds = new(report.Seconds(opened.Sub(fault)))
	r.OpenSeconds = new(report.Seconds(first.During("open", fault, until)))
	r.HalfOpenSeconds = new(report.Seconds(first.During("half-open", fault, until)))
	if at, ok := first.Entered("half-open", fault); ok {
		r.HalfOpenedSeconds = new(report.Seconds(at.Sub(fault)))
	}
	if last := first.Last(); last.State == "closed" && !first.Outdated() {
		r.ClosedSeconds = new(report.Seconds(last.At.Sub(fault)))
	}
	return r
}

// callTimes adds the times of the failed calls of one load after the fault.
func callTimes(r report.Recovery, failures []FailurePeriod, fault time.Time) report.Recovery {
	if fault.IsZero() {
		return r
	}
	for _, p := range failures {
		if p.Last.Before(fault) {
			continue
		}
		first, last := max(0, p.First.Sub(fault)), p.Last.Sub(fault)
		if r.FirstFailedSeconds == nil || report.Seconds(first) < *r.FirstFailedSeconds {
			r.FirstFailedSeconds = new(report.Seconds(first))
		}
		if r.LastFailedSeconds == nil || report.Seconds(last) > *r.LastFailedSeconds {
			r.LastFailedSeconds = new(report.Seconds(last))
		}
		if r.LongestOutageSeconds == nil || report.Seconds(p.Outage) > *r.LongestOutageSeconds {
			r.LongestOutageSeconds = new(report.Seconds(p.Outage))
		}
	}
	return r
}

// elapsed formats a time since the start of the run.
func elapsed(d time.Duration) string { return fmt.Sprintf("%+.1f s", d.Seconds()) }
