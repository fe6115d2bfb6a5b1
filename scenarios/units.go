package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is in calls a second.
type Rate float64

// The rates that the load generator accepts. A test of cmd/sandbox compares them with the generator's own.
const (
	MinRate Rate = 0.001
	MaxRate Rate = 20_000
)

func (r Rate) String() string { return decimal(float64(r)) + "/s" }

// ParseRate reads "200/s" or "90/m".
func ParseRate(s string) (Rate, error) {
	number, unit, ok := strings.Cut(s, "/")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("want a rate, got %q", s)
	}
	switch unit {
	case "s":
	case "m":
		v /= 60
	default:
		return 0, fmt.Errorf("want a rate a second or a minute, got %q", s)
	}
	if Rate(v) < MinRate || Rate(v) > MaxRate {
		return 0, fmt.Errorf("want a rate from %s to %s, got %q", MinRate, MaxRate, s)
	}
	return Rate(v), nil
}

// Share is a part of a whole, 0 to 1.
type Share float64

func (s Share) String() string { return decimal(s.percent()) + "%" }

func (s Share) percent() float64 { return tidy(float64(s) * 100) }

// ParseShare reads "99.5%"; a bare number is refused, for 0.5 and 50 could both be meant.
func ParseShare(s string) (Share, error) {
	number, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || math.IsNaN(v) {
		return 0, fmt.Errorf("want a percentage, got %q", s)
	}
	if v < 0 || v > 100 {
		return 0, fmt.Errorf("want a percentage from 0%% to 100%%, got %q", s)
	}
	return Share(v / 100), nil
}

// maxDuration keeps a slip such as 20h for 20s from holding a laptop for a week.
const maxDuration = 24 * time.Hour

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("want a duration, got %q", s)
	}
	if d < 0 || d > maxDuration {
		return 0, fmt.Errorf("want a duration from 0s to %s, got %q", maxDuration, s)
	}
	return d, nil
}

func decimal(v float64) string { return strconv.FormatFloat(tidy(v), 'f', -1, 64) }

// tidy drops what floating point adds beyond the sixth decimal, so that 0.995*100 prints as 99.5.
func tidy(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// cut drops beyond the fourth decimal, downwards: 99.99996 must never be shown as 100.
func cut(v float64) float64 { return math.Floor(tidy(v)*1e4) / 1e4 }
