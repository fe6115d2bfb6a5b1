package expect

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestSent_OfALoad(t *testing.T) {
	checkLoadCases(t, map[string]loadCase{
		"sent itself is known": {sent{"l", 0.9}, called(90, 0, 0, 10), 0, report.Met, "90"},
		"no call was due":      {sent{"l", 0.9}, target.LoadReading{}, 0, report.NotMet, "unknown"},
	})
}
