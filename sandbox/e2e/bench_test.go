//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// BenchmarkUp measures whole commands with warm caches; the steps of each `up` are in the log. The last two metrics are
// ratios within the run, which say more than seconds on a machine that is not quiet.
func BenchmarkUp(b *testing.B) {
	timed := func(verb string) time.Duration {
		started := time.Now()
		if _, code, err := sandbox(b.Context(), verb); err != nil || code != 0 {
			b.Fatalf("%s ended with %d, %v", verb, code, err)
		}
		return time.Since(started)
	}
	var up, again, down time.Duration
	for b.Loop() {
		down += timed("down")
		up += timed("up")
		again += timed("up")
	}
	runs := float64(b.N)
	b.ReportMetric(up.Seconds()/runs, "up-s")
	b.ReportMetric(again.Seconds()/runs, "again-s")
	b.ReportMetric(down.Seconds()/runs, "down-s")
	b.ReportMetric(again.Seconds()/up.Seconds(), "again/up")
	b.ReportMetric(down.Seconds()/up.Seconds(), "down/up")
}
