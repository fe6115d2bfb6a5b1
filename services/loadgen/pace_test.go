package loadgen

import (
	"math"
	"testing"
	"time"
)

func TestPace_ArrivalsDue(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    Pace
		elapsed time.Duration
		due     int64
	}{
		{"the first arrival is due immediately", 10, 0, 1},
		{"the second is not due just before its time", 10, 100*time.Millisecond - 1, 1},
		{"the second is due at its time", 10, 100 * time.Millisecond, 2},
		{"a second at 200/s, and the first arrival of the next second", 200, time.Second, 201},
		{"a rate that does not divide a second evenly", 3, time.Second, 4},
		{"one call per thousand seconds", 0.001, 1500 * time.Second, 2},
		{"the highest rate over a day", 20000, 24 * time.Hour, 20000*86400 + 1},
		{"a rate of 0", 0, time.Hour, 0},
		{"before the start", 10, -time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.rate.Due(c.elapsed); got != c.due {
				t.Errorf("%d due, want %d", got, c.due)
			}
		})
	}
}

func TestPace_DueAndAtAgree(t *testing.T) {
	for _, rate := range []Pace{0.001, 0.3, 1, 3, 7, 33.3, 200, 999.9, 20000} {
		for n := range int64(2000) {
			at := rate.At(n)
			if rate.Due(at) < n+1 || rate.Due(at-1) > n {
				t.Fatalf("rate %v, arrival %d at %s: %d due then, %d just before", rate, n, at, rate.Due(at), rate.Due(at-1))
			}
		}
	}
	if Pace(0).At(0) != math.MaxInt64 {
		t.Error("an arrival is due at a rate of 0")
	}
}
