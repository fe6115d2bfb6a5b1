package report

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Load is a load from its start to its stop. Arrivals that were not sent are neither in errors nor in failed.
type Load struct {
	// Name is the name of the load in the scenario.
	Name string `json:"name"`
	// Intended is the number of arrivals that were due, Sent that of the calls made, and OK that of the calls answered without an error.
	Intended int64 `json:"intended"`
	Sent     int64 `json:"sent"`
	OK       int64 `json:"ok"`
	// Failed is the sum of Errors.
	Failed int64 `json:"failed"`
	// Errors counts failed calls by code, as their callers saw them.
	Errors map[string]int64 `json:"errors"`
	// Refused is the part of Errors that the caller's own breaker or limit refused, by reason.
	Refused map[string]int64 `json:"refused"`
	// NeverLeft counts the arrivals that the generator could not send.
	NeverLeft int64 `json:"neverLeft"`
	// Latency covers answered calls.
	Latency Latencies `json:"latencyMs"`
	// FailedLatency covers failed calls that left the caller.
	FailedLatency Latencies `json:"failedLatencyMs"`
	// FirstFailedSeconds and LastFailedSeconds are the intended starts of the first and the last failed call, in seconds since startedAt. They are
	// null without a failed call.
	FirstFailedSeconds *float64 `json:"firstFailedSeconds"`
	LastFailedSeconds  *float64 `json:"lastFailedSeconds"`
	// LongestOutageSeconds is the longest time in which every call failed.
	LongestOutageSeconds float64 `json:"longestOutageSeconds"`
}

// Latencies are in milliseconds since the intended start of a call.
type Latencies struct {
	// P50, P90, P99 and P999 are the quantiles of 50, 90, 99 and 99.9 %. All fields are 0 if there was no call.
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// NewLoad turns the last reading of a load into its part of the report of a run that started at the given time.
func NewLoad(name string, r target.LoadReading, started time.Time) Load {
	out := Load{
		Name: name, Intended: r.Intended, Sent: r.Sent, OK: r.OK, Failed: r.Failed(), Errors: nonZero(r.Errors), Refused: nonZero(r.Refused),
		NeverLeft: r.Errors[target.NeverLeft], Latency: latencies(r.Latency), FailedLatency: latencies(r.FailedLatency),
	}
	delete(out.Errors, target.NeverLeft)
	for i, p := range r.Failures {
		if i == 0 {
			out.FirstFailedSeconds = new(Seconds(p.First.Sub(started)))
		}
		out.LastFailedSeconds = new(Seconds(p.Last.Sub(started)))
		out.LongestOutageSeconds = max(out.LongestOutageSeconds, Seconds(p.Outage))
	}
	return out
}

func nonZero(counts map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for key, n := range counts {
		if n != 0 {
			out[key] = n
		}
	}
	return out
}

func latencies(h *hdrhistogram.Histogram) Latencies {
	if h == nil || h.TotalCount() == 0 {
		return Latencies{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Latencies{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1000}
}
