package scenarios

import (
	"fmt"
	"time"
)

// Recovery says how callers, breakers and the world came through; what did not happen is null. All but the durations openSeconds,
// halfOpenSeconds and longestOutageSeconds count from the first fault, recoverSeconds from the last heal where there was one.
type Recovery struct {
	FirstFailedSeconds   *float64 `json:"firstFailedSeconds"`   // to the first failed call, by intended start as the next two
	LongestOutageSeconds *float64 `json:"longestOutageSeconds"` // the longest time in which every call failed; null without a failed call
	LastFailedSeconds    *float64 `json:"lastFailedSeconds"`    // to the last failed call
	DetectSeconds        *float64 `json:"detectSeconds"`        // to the first breaker opening
	HalfOpenedSeconds    *float64 `json:"halfOpenedSeconds"`    // to that breaker's first half-open state
	ClosedSeconds        *float64 `json:"closedSeconds"`        // to that breaker's last closing; null when it was not closed at the end
	OpenSeconds          *float64 `json:"openSeconds"`          // that breaker's time in open, until the verdict
	HalfOpenSeconds      *float64 `json:"halfOpenSeconds"`      // that breaker's time in half-open
	RecoverSeconds       *float64 `json:"recoverSeconds"`       // to the start of the window from which everything in recover held
}

// ofBreakers adds what the first breaker did that opened after the fault.
func (r Recovery) ofBreakers(trails []trail, fault, until time.Time) Recovery {
	if fault.IsZero() {
		return r
	}
	var first *trail
	var opened time.Time
	for i := range trails {
		if at, ok := trails[i].entered("open", fault); ok && (first == nil || at.Before(opened)) {
			first, opened = &trails[i], at
		}
	}
	if first == nil {
		return r
	}
	r.DetectSeconds = new(seconds(opened.Sub(fault)))
	r.OpenSeconds = new(seconds(first.during("open", fault, until)))
	r.HalfOpenSeconds = new(seconds(first.during("half-open", fault, until)))
	if at, ok := first.entered("half-open", fault); ok {
		r.HalfOpenedSeconds = new(seconds(at.Sub(fault)))
	}
	if last := first.last(); last.State == "closed" && !first.overtaken() {
		r.ClosedSeconds = new(seconds(last.At.Sub(fault)))
	}
	return r
}

// ofCalls adds the failed calls of one load after the fault.
func (r Recovery) ofCalls(failures []FailurePeriod, fault time.Time) Recovery {
	if fault.IsZero() {
		return r
	}
	for _, p := range failures {
		if p.Last.Before(fault) {
			continue
		}
		first, last := max(0, p.First.Sub(fault)), p.Last.Sub(fault)
		if r.FirstFailedSeconds == nil || seconds(first) < *r.FirstFailedSeconds {
			r.FirstFailedSeconds = new(seconds(first))
		}
		if r.LastFailedSeconds == nil || seconds(last) > *r.LastFailedSeconds {
			r.LastFailedSeconds = new(seconds(last))
		}
		if r.LongestOutageSeconds == nil || seconds(p.Outage) > *r.LongestOutageSeconds {
			r.LongestOutageSeconds = new(seconds(p.Outage))
		}
	}
	return r
}

// seconds are rounded to the millisecond: finer is below what a poll can tell.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// elapsed prints a time since the start of the run.
func elapsed(d time.Duration) string { return fmt.Sprintf("%+.1f s", d.Seconds()) }
