package outlier

import (
	"cmp"
	"time"
)

// Config says when an endpoint is ejected. The zero value of each field selects the default in its comment.
type Config struct {
	// Disabled ejects nothing.
	Disabled bool
	// Consecutive is the number of failures in a row, with at most 2*Max between one and the next. Default: 5.
	Consecutive uint32
	// Ratio is the share of the calls of the last second that failed, if they are ratioCalls or more. Default: 0.5.
	Ratio float64
	// Base is how long an endpoint is ejected the first time. Default: 1s.
	Base time.Duration
	// Max is the longest time. Default: 30s.
	Max time.Duration
	// MaxPercent is the share of the endpoints that may be ejected. Default: 50.
	MaxPercent uint32
}

func (c Config) withDefaults() Config {
	c.Consecutive = cmp.Or(c.Consecutive, 5)
	c.Ratio = cmp.Or(c.Ratio, 0.5)
	c.Base = cmp.Or(c.Base, time.Second)
	c.Max = max(c.Base, cmp.Or(c.Max, 30*time.Second))
	c.MaxPercent = cmp.Or(c.MaxPercent, 50)
	return c
}

// longAgo is the time after which an earlier failure or ejection no longer matters.
func (c Config) longAgo() time.Duration { return 2 * c.Max }

const (
	ratioWindow = time.Second
	ratioCalls  = 10
	// mostDoublings keeps the doubled time from overflowing.
	mostDoublings = 10
)

// span returns how long an ejection lasts after a number of earlier ones without a longer time of good work in between.
func (c *Config) span(times uint) time.Duration {
	return min(c.Base<<min(times, mostDoublings), c.Max)
}
