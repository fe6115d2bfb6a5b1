package text

import (
	"math"
	"strconv"
)

// Decimal prints a number without trailing zeros, rounded to six decimals.
func Decimal(v float64) string { return strconv.FormatFloat(Tidy(v), 'f', -1, 64) }

// Tidy rounds to six decimals, so that 0.995*100 prints as 99.5.
func Tidy(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// RoundDown rounds down to four decimals: 99.99996 must never be shown as 100.
func RoundDown(v float64) float64 { return math.Floor(Tidy(v)*1e4) / 1e4 }

// RoundUp rounds up to four decimals: 0.00004 must never be shown as 0.
func RoundUp(v float64) float64 { return math.Ceil(Tidy(v)*1e4) / 1e4 }
