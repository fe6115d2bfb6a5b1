package expect

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

func TestLatency_OfALoad(t *testing.T) {
	p99 := latency{Of: "l", Quantile: 0.99, AtMost: time.Second}
	failedP50 := latency{Of: "l", Quantile: 0.5, AtMost: time.Second, Calls: callsFailed}
	// mixed is from a generator that records the latencies of failed calls as those of answered ones.
	mixed := called(10, 990, 0, 0)
	_ = mixed.Latency.RecordValues(100, 990)
	checkLoadCases(t, map[string]loadCase{
		"too few arrivals left for a quantile":         {p99, called(1000, 0, 0, 11), 0, report.NotMet, "unknown"},
		"a quantile needs 20 answered calls":           {p99, called(19, 100, 0, 0), WindowCalls, report.NotMet, "unknown"},
		"failed calls do not worsen the latency":       {p99, called(100, 100, 0, 0), 0, report.Met, "1"},
		"failed calls have their own":                  {failedP50, called(100, 100, 0, 0), 0, report.NotMet, "2000.895"},
		"local refusals do not flatter those":          {failedP50, called(100, 10, 1000, 0), 0, report.NotMet, "2000.895"},
		"no failed call has no latency":                {failedP50, called(100, 0, 10, 0), 0, report.NotMet, "unknown"},
		"latencies of failed calls among the answered": {p99, mixed, 0, report.NotMet, "unknown"},
	})
}
