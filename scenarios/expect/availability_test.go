package expect

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestAvailability_OfALoad(t *testing.T) {
	checkLoadCases(t, map[string]loadCase{
		"callers count local refusals":                 {availability{Of: "l", bound: bound{Number: 90}}, called(90, 0, 30, 0), 0, report.NotMet, "75"},
		"the callee is not blamed for them":            {availability{Of: "l", bound: bound{Number: 90}, Side: sideCallee}, called(90, 0, 30, 0), 0, report.Met, "100"},
		"the callee's own failures count":              {availability{Of: "l", bound: bound{Number: 90}, Side: sideCallee}, called(90, 30, 30, 0), 0, report.NotMet, "75"},
		"the callee had no call":                       {availability{Of: "l", Side: sideCallee}, called(0, 0, 30, 0), 0, report.NotMet, "unknown"},
		"arrivals that never left are no failed calls": {availability{Of: "l", bound: bound{Number: 100}}, called(1000, 0, 0, 10), 0, report.Met, "100"},
		"too few arrivals left":                        {availability{Of: "l", bound: bound{Number: 50}}, called(1000, 0, 0, 11), 0, report.NotMet, "unknown"},
		"19 calls are too few in a window":             {availability{Of: "l", bound: bound{Number: 50}}, called(19, 0, 0, 0), WindowCalls, report.NotMet, "unknown"},
		"at most, met":                                 {availability{Of: "l", bound: bound{50, true}}, called(10, 90, 0, 0), 0, report.Met, "10"},
		"at most, not met":                             {availability{Of: "l", bound: bound{50, true}}, called(90, 10, 0, 0), 0, report.NotMet, "90"},
		"at most, without a call":                      {availability{Of: "l", bound: bound{50, true}}, called(0, 0, 0, 0), 0, report.NotMet, "unknown"},
		"20 calls are WindowCalls":                     {availability{Of: "l", bound: bound{Number: 50}}, called(10, 10, 0, 0), WindowCalls, report.Met, "50"},
	})
}

func TestAvailability_IsRoundedDownForPeopleOnly(t *testing.T) {
	for _, tc := range []struct {
		ok, failed int64
		limit      target.Share
		met        bool
		shown      float64
	}{
		{995, 5, 0.995, true, 99.5},
		{9949, 51, 0.995, false, 99.49},
		{9_999_999, 1, 1, false, 99.9999},
		{0, 10, 0.5, false, 0},
	} {
		f := availability{Of: "l", bound: bound{Number: tc.limit.Percent()}}.Check(Evidence{Loads: map[string]target.LoadReading{"l": {Sent: tc.ok + tc.failed, OK: tc.ok, Errors: map[string]int64{"Internal": tc.failed}}}})
		if f.Met() != tc.met || f.Observed.Number != tc.shown {
			t.Errorf("%d of %d: held %t, shown %v", tc.ok, tc.ok+tc.failed, f.Met(), f.Observed.Number)
		}
	}
}
