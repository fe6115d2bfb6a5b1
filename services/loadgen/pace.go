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

// At is when arrival n is due, counted from the start.
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

// Due is how many arrivals are due once elapsed has passed; the one that is due exactly now counts.
func (p Pace) Due(elapsed time.Duration) int64 {
	if p <= 0 || elapsed < 0 {
		return 0
	}
	n := int64(elapsed.Seconds()*float64(p)) + 1
	// Rounding may put the estimate one off on either side of At, which decides.
	for p.At(n) <= elapsed {
		n++
	}
	for n > 0 && p.At(n-1) > elapsed {
		n--
	}
	return n
}
