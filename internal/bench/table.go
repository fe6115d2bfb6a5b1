// Package bench is what the benchmarks share: percentiles, limits, the table that a benchmark writes into a README, and the speed of the machine.
package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Limits collects the limits that a benchmark has missed, so that it fails after its table was written.
type Limits struct{ Missed []string }

// Check returns the text of a limit, which is marked if it was missed.
func (l *Limits) Check(what string, got, limit float64, unit string) string {
	if got <= limit {
		return fmt.Sprintf("%g %s", limit, unit)
	}
	l.Missed = append(l.Missed, fmt.Sprintf("%s: %.3g %s, the limit is %g", what, got, unit, limit))
	return fmt.Sprintf("**%g %s, missed**", limit, unit)
}

// Row returns a row of a table, whose limit is that of the 99th percentile, and the percentiles in milliseconds.
func (l *Limits) Row(what string, took []time.Duration, limit time.Duration) (row string, p50, p99 float64) {
	p50, p99 = Percentiles(took)
	return fmt.Sprintf("| %s | %.0f ms | %.0f ms | %s |\n", what, p50, p99, l.Check(what, p99, millis(limit), "ms")), p50, p99
}

// Percentiles returns the median and the 99th percentile in milliseconds. There must be at least one duration.
func Percentiles(took []time.Duration) (p50, p99 float64) {
	took = slices.Sorted(slices.Values(took))
	return millis(took[len(took)/2]), millis(took[len(took)*99/100])
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// Write replaces a table in a page by a new one. The page marks the place with the name of the table and the name of the task that prints it:
//
//	<!-- NAME: printed by task bench:TASK -->
//	<!-- end of NAME -->
func Write(page, name, task, table string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("writing the table %s: %w", name, err)
	}
	begin, end := fmt.Sprintf("<!-- %s: printed by task bench:%s -->\n", name, task), fmt.Sprintf("<!-- end of %s -->", name)
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return remedy.Errorf(remedy.Advicef("add the lines %s and %s", strings.TrimSpace(begin), end), "writing the table %s: %s has no place for it", name, page)
	}
	if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o644); err != nil { //nolint:gosec // a page of the repository
		return fmt.Errorf("writing the table %s: %w", name, err)
	}
	return nil
}
