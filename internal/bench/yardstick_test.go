package bench

import "testing"

// BenchmarkYardstick prints the speed of this machine alone.
func BenchmarkYardstick(b *testing.B) {
	for b.Loop() {
		b.Log(YardstickLine(b))
	}
	b.ReportMetric(0, "ns/op")
}
