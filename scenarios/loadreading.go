package scenarios

import (
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// LoadReading is what a load has done since it started.
type LoadReading struct {
	At       time.Time
	Rate     Rate                    // now
	Intended int64                   // arrivals that were due
	Sent     int64                   // calls that left
	OK       int64                   // calls answered without an error
	Errors   map[string]int64        // gRPC code: count
	Latency  *hdrhistogram.Histogram // microseconds, from the intended start; nil when nothing was recorded
}

// Sub is what happened between an earlier reading of the same load and this one.
func (r LoadReading) Sub(earlier LoadReading) LoadReading {
	d := LoadReading{
		At:       r.At,
		Intended: r.Intended - earlier.Intended,
		Sent:     r.Sent - earlier.Sent,
		OK:       r.OK - earlier.OK,
		Errors:   maps.Clone(r.Errors),
		Latency:  subtract(r.Latency, earlier.Latency),
	}
	for code, n := range earlier.Errors {
		if d.Errors[code] -= n; d.Errors[code] == 0 {
			delete(d.Errors, code)
		}
	}
	return d
}

// Failed counts the calls that ended in an error.
func (r LoadReading) Failed() int64 {
	var n int64
	for _, c := range r.Errors {
		n += c
	}
	return n
}

// Availability is OK ÷ finished, so that calls in flight at a window's edge count in neither. When calls were sent and none
// finished it is 0; when none was sent it is not known.
func (r LoadReading) Availability() (Share, bool) {
	finished := r.OK + r.Failed()
	switch {
	case finished > 0:
		return Share(float64(r.OK) / float64(finished)), true
	default:
		return 0, r.Sent > 0
	}
}

// unanswered turns calls that a stopped load never saw finish into errors, for their callers noticed.
func (r LoadReading) unanswered() LoadReading {
	if lost := r.Sent - r.OK - r.Failed(); lost > 0 {
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
