package tui

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// unknown stands for a value that is not known.
const unknown = "–"

// age formats a duration in at most two units: 4s, 3m12s, 5h02m, 3d4h.
func age(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	default:
		return fmt.Sprintf("%dd%dh", s/86400, s%86400/3600)
	}
}

// since is the age of t, or unknown if t is zero.
func since(now, t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return age(now.Sub(t))
}

// latency formats the duration of a call in about two significant digits.
func latency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return unknown
	case ms < 10:
		return fmt.Sprintf("%.1fms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0fms", ms)
	case ms >= 60_000:
		return age(d)
	default:
		return fmt.Sprintf("%.1fs", ms/1000)
	}
}

// rate formats calls per second in at most six cells.
func rate(r float64) string {
	switch {
	case math.IsNaN(r) || math.IsInf(r, 0):
		return unknown
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	case r < 10_000:
		return fmt.Sprintf("%.0f", r)
	case r < 1_000_000:
		return fmt.Sprintf("%.0fk", r/1000)
	default:
		return fmt.Sprintf("%.0fM", r/1_000_000)
	}
}

// percent formats a share. Only 0 is shown as 0%.
func percent(share float64) string {
	switch p := share * 100; {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return unknown
	case p == 0:
		return "0%"
	case p < 0.1:
		return "<0.1%"
	case p < 10:
		return fmt.Sprintf("%.1f%%", p)
	default:
		return fmt.Sprintf("%.0f%%", p)
	}
}

// clean makes text from outside safe for one line of a terminal: it removes escape sequences and control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, ansi.Strip(s))
	return strings.Join(strings.Fields(s), " ")
}

// shortMethod returns the last part of package.Service/Method.
func shortMethod(m string) string { return m[strings.LastIndexByte(m, '/')+1:] }
