package expect

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestAvailabilityLimit_CountsUnsentArrivals(t *testing.T) {
	limit := availabilityLimit{Of: "l", Below: 0.5, For: time.Second}
	for _, c := range []struct {
		over target.LoadReading
		want bool
	}{
		{target.LoadReading{Intended: 100, Errors: map[string]int64{target.NeverLeft: 100}}, true},
		{called(40, 60, 0, 0), true},
		// Arrivals that were not sent do not count if calls were sent.
		{called(60, 40, 0, 1000), false},
		{target.LoadReading{}, false},
	} {
		if observed, got := limit.Exceeded(c.over); got != c.want {
			t.Errorf("%+v: exceeded %v at %s", c.over, got, observed)
		}
	}
}
