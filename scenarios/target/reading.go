package target

import (
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// NeverLeft is the code under which a reading counts arrivals that were due and not sent, because too many calls were in flight. They are not failed
// calls: no call was made.
const NeverLeft = "OVERLOADED"

// LoadReading is what a load has done since it started. All counts grow until the load stops.
type LoadReading struct {
	// At is when the reading was requested. The numbers are not older than that.
	At time.Time
	// Rate is the present rate.
	Rate Rate
	// Intended is the number of arrivals that were due.
	Intended int64
	// Sent is the number of calls that were made.
	Sent int64
	// OK is the number of calls that were answered without an error.
	OK int64
	// Errors counts failed calls by gRPC code. Arrivals that were not sent are counted as NeverLeft.
	Errors map[string]int64
	// Refused counts the failed calls that the caller's own breaker or limit refused, by reason.
	Refused map[string]int64
	// Latency covers answered calls, in microseconds since the intended start. It is nil if nothing was recorded.
	Latency *hdrhistogram.Histogram
	// FailedLatency is the same for failed calls that left the caller.
	FailedLatency *hdrhistogram.Histogram
	// Failures are the periods in which calls failed, in order. Sub keeps all of them.
	Failures []FailurePeriod
}

// FailurePeriod is a period in which calls failed. A call is dated by its intended start.
type FailurePeriod struct {
	// First and Last are the times of the first and the last failed call.
	First, Last time.Time
	// Failed is the number of failed calls in the period.
	Failed int64
	// Outage is the longest time in the period without an answered call.
	Outage time.Duration
}

// Sub returns what happened between an earlier reading of the same load and this one.
func (r LoadReading) Sub(earlier LoadReading) LoadReading {
	return LoadReading{
		At:            r.At,
		Intended:      r.Intended - earlier.Intended,
		Sent:          r.Sent - earlier.Sent,
		OK:            r.OK - earlier.OK,
		Errors:        less(r.Errors, earlier.Errors),
		Refused:       less(r.Refused, earlier.Refused),
		Latency:       subtract(r.Latency, earlier.Latency),
		FailedLatency: subtract(r.FailedLatency, earlier.FailedLatency),
		Failures:      r.Failures,
	}
}

// less subtracts counts and omits those that are 0.
func less(later, earlier map[string]int64) map[string]int64 {
	out := maps.Clone(later)
	for key, n := range earlier {
		if out[key] -= n; out[key] == 0 {
			delete(out, key)
		}
	}
	return out
}

// Failed counts the calls that ended in an error, including those that were refused in the caller's own process.
func (r LoadReading) Failed() int64 { return sum(r.Errors) - r.Errors[NeverLeft] }

// RefusedLocally counts the failed calls that did not leave the caller.
func (r LoadReading) RefusedLocally() int64 { return sum(r.Refused) }

// Finished counts the calls that were answered or failed.
func (r LoadReading) Finished() int64 { return r.OK + r.Failed() }

func sum(counts map[string]int64) int64 {
	var n int64
	for _, c := range counts {
		n += c
	}
	return n
}

// Availability returns OK ÷ finished, so that calls in flight at the edges of a window do not count. If calls were sent and none finished, it is 0;
// if none was sent, it is not known.
func (r LoadReading) Availability() (Share, bool) {
	if finished := r.Finished(); finished > 0 {
		return Share(float64(r.OK) / float64(finished)), true
	}
	return 0, r.Sent > 0
}

// SentShare returns the share of the intended arrivals that were sent. It is not known if none was due.
func (r LoadReading) SentShare() (Share, bool) {
	if r.Intended <= 0 {
		return 0, false
	}
	return Share(float64(r.Sent) / float64(r.Intended)), true
}

// WithUnanswered counts the calls that had not finished when the load stopped as failed.
func (r LoadReading) WithUnanswered() LoadReading {
	if lost := r.Sent - r.Finished(); lost > 0 {
		r.Errors = maps.Clone(r.Errors)
		if r.Errors == nil {
			r.Errors = map[string]int64{}
		}
		r.Errors["Unanswered"] += lost
	}
	return r
}

// subtract expects two histograms of one load. If their layouts differ, it returns the later one.
func subtract(later, earlier *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	if later == nil || earlier == nil {
		return later
	}
	l, e := later.Export(), earlier.Export()
	if len(l.Counts) != len(e.Counts) || l.LowestTrackableValue != e.LowestTrackableValue {
		return later
	}
	for i, n := range e.Counts {
		l.Counts[i] -= n
	}
	return hdrhistogram.Import(l)
}
