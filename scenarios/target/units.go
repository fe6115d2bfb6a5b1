package target

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// Rate is in calls per second.
type Rate float64

// The rates that the load generator accepts. A test of cmd/sandbox compares them with the generator's own.
const (
	MinRate Rate = 0.001
	MaxRate Rate = 20_000
)

// String returns the rate per second, such as "200/s".
func (r Rate) String() string { return text.Decimal(float64(r)) + "/s" }

// ParseRate reads a rate per second or per minute, such as "200/s" or "90/m".
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
		return 0, fmt.Errorf("want a rate per second or per minute, got %q", s)
	}
	if Rate(v) < MinRate || Rate(v) > MaxRate {
		return 0, fmt.Errorf("want a rate from %s to %s, got %q", MinRate, MaxRate, s)
	}
	return Rate(v), nil
}

// Share is a part of a whole, from 0 to 1.
type Share float64

// String returns the share in percent, such as "99.5%".
func (s Share) String() string { return text.Decimal(s.Percent()) + "%" }

// Percent returns the share as a number from 0 to 100.
func (s Share) Percent() float64 { return text.Tidy(float64(s) * 100) }

// ParseShare reads a percentage such as "99.5%". A bare number is an error, because 0.5 could mean 0.5 % or 50 %.
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

// maxDuration catches slips such as 20h for 20s.
const maxDuration = 24 * time.Hour

// ParseDuration reads a duration of at most a day, such as "250ms".
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("want a duration, got %q", s)
	}
	if d < 0 || d > maxDuration {
		return 0, fmt.Errorf("want a duration from 0s to %s, got %q", maxDuration, s)
	}
	return d, nil
}
