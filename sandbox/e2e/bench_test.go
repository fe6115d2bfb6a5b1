//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/bench"
)

// BenchmarkUp measures whole commands with warm caches and fails if they exceed their limits. The steps of each `up` are in the log. On a busy
// machine the ratios are more meaningful than the seconds, and the yardstick is there to compare machines. The memory is that of a shop that sells: the
// load generator places its background orders as soon as orderservice can be reached, which may be before the first call.
func BenchmarkUp(b *testing.B) {
	timed := func(verb string, args ...string) (time.Duration, string) {
		started := time.Now()
		out, code, err := shared.run(b.Context(), append([]string{verb}, args...)...)
		if err != nil || code != 0 {
			b.Fatalf("%s ended with %d, %v", verb, code, err)
		}
		return time.Since(started), out
	}
	var up, again, down time.Duration
	var first, own float64
	for b.Loop() {
		took, _ := timed("down")
		down += took
		took, out := timed("up", "-o", "json")
		up += took
		var doc struct{ FirstCallSeconds, OwnSeconds float64 }
		if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.FirstCallSeconds == 0 {
			b.Fatalf("up printed %s, %v", out, err)
		}
		first += doc.FirstCallSeconds
		own += doc.OwnSeconds
		took, _ = timed("up")
		again += took
	}
	_, out := timed("status", "-o", "json")
	var status struct {
		Memory struct{ UsageBytes, WorkingSetBytes float64 }
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Memory.UsageBytes == 0 {
		b.Fatalf("status printed %s, %v", out, err)
	}
	runs := float64(b.N)
	for _, m := range []struct {
		value float64
		unit  string
	}{
		{first / runs, "first-call-s"},
		{up.Seconds() / runs, "up-s"},
		{own / runs, "own-s"},
		{again.Seconds() / runs, "again-s"},
		{down.Seconds() / runs, "down-s"},
		{own / up.Seconds(), "own/up"},
		{again.Seconds() / up.Seconds(), "again/up"},
		{down.Seconds() / up.Seconds(), "down/up"},
		{status.Memory.WorkingSetBytes / 1e6, "working-set-MB"},
		{status.Memory.UsageBytes / 1e6, "memory-MB"},
	} {
		b.ReportMetric(m.value, m.unit)
		// A benchmark that fails prints no metrics.
		b.Logf("%.3g %s", m.value, m.unit)
	}
	b.Log(bench.YardstickLine(b))
	// Do not print ns/op, which duplicates the metrics above.
	b.ReportMetric(0, "ns/op")
	for _, limit := range []struct {
		what      string
		got, most float64
	}{
		{"seconds to the first call", first / runs, 60},
		{"seconds of sandbox overhead", own / runs, 3},
		{"seconds of a repeated up", again.Seconds() / runs, 3},
		{"seconds of down", down.Seconds() / runs, 10},
		{"bytes of memory, the whole node", status.Memory.UsageBytes, 2e9},
	} {
		if limit.got > limit.most {
			b.Errorf("%s: %.3g, and the limit on two cores is %.3g", limit.what, limit.got, limit.most)
		}
	}
}
