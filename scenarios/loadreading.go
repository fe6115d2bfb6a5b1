package scenarios

import (
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// neverLeft is the code under which a load counts arrivals that were due and not sent, because too many of its calls were in flight. They are no
// failed calls: nobody called.
const neverLeft = "OVERLOADED"

// LoadReading is what a load has done since it started.
type LoadReading struct {
	At            time.Time               // when it was asked for: the numbers are no older
	Rate          Rate                    // now
	Intended      int64                   // arrivals that were due
	Sent          int64                   // calls that left
	OK            int64                   // calls answered without an error
	Errors        map[string]int64        // failed calls by gRPC code, and arrivals that never left as OVERLOADED
	Refused       map[string]int64        // of the failed calls, those that the caller's own breaker or limit refused, by reason
	Latency       *hdrhistogram.Histogram // of answered calls, in microseconds from the intended start; nil when nothing was recorded
	FailedLatency *hdrhistogram.Histogram // the same of failed calls that left the caller
	Failures      []FailurePeriod         // when calls failed, in order; Sub keeps all
}

// FailurePeriod is a time in which calls failed, each dated by its intended start.
type FailurePeriod struct {
	First, Last time.Time // failed calls
	Failed      int64
	Outage      time.Duration // the longest time in it without an answered call
}

// Sub is what happened between an earlier reading of the same load and this one.
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

// less subtracts counts and leaves out those that are 0.
func less(later, earlier map[string]int64) map[string]int64 {
	out := maps.Clone(later)
	for key, n := range earlier {
		if out[key] -= n; out[key] == 0 {
			delete(out, key)
		}
	}
	return out
}

// Failed counts the calls that ended in an error, as their callers saw it: the ones refused in the caller's own process are among them.
func (r LoadReading) Failed() int64 { return sum(r.Errors) - r.Errors[neverLeft] }

// RefusedLocally counts the failed calls that never left the caller.
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

// Availability is OK ÷ finished, so that calls in flight at a window's edge count in neither. When calls were sent and none
// finished it is 0; when none was sent it is not known.
func (r LoadReading) Availability() (Share, bool) {
	if finished := r.Finished(); finished > 0 {
		return Share(float64(r.OK) / float64(finished)), true
	}
	return 0, r.Sent > 0
}

// sentShare is the part of the intended arrivals that left; it is not known when none was due.
func (r LoadReading) sentShare() (Share, bool) {
	if r.Intended <= 0 {
		return 0, false
	}
	return Share(float64(r.Sent) / float64(r.Intended)), true
}

// unanswered turns calls that a stopped load never saw finish into errors, for their callers noticed.
func (r LoadReading) unanswered() LoadReading {
	if lost := r.Sent - r.Finished(); lost > 0 {
		r.Errors = maps.Clone(r.Errors)
		if r.Errors == nil {
			r.Errors = map[string]int64{}
		}
		r.Errors["Unanswered"] += lost
	}
	return r
}

// subtract assumes that both come from one load; of histograms with another geometry it keeps the later.
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
