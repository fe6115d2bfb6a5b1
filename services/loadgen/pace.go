package loadgen

import (
	"math"
	"time"
)

// Pace is a constant arrival rate, in calls per second. Arrival n (from 0) is due n/rate after the start:
//
//	arrivals
//	   │      ╱   slope = rate
//	   │   ╱
//	   └────────  elapsed
type Pace float64

// At returns when arrival n is due, relative to the start.
func (p Pace) At(n int64) time.Duration {
	if p <= 0 {
		return math.MaxInt64
	}
	at := float64(n) / float64(p) * float64(time.Second)
	if at >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(at))
}

// Due returns the number of arrivals that are due after elapsed, including one that is due exactly then.
func (p Pace) Due(elapsed time.Duration) int64 {
	if p <= 0 || elapsed < 0 {
		return 0
	}
	n := int64(elapsed.Seconds()*float64(p)) + 1
	// The estimate may be off by one because of rounding. At has the exact answer.
	for p.At(n) <= elapsed {
		n++
	}
	for n > 0 && p.At(n-1) > elapsed {
		n--
	}
	return n
}
