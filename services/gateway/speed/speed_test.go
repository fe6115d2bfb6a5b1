//go:build linux

package speed

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/bench"
)

// BenchmarkGateway measures one call at a time, many calls at a time and streams, and writes the tables into the README of the gateway.
func BenchmarkGateway(b *testing.B) {
	w := newWorld(b)
	var r result
	for b.Loop() {
		var err error
		r, err = w.measure(b.Context(), extent{rounds: 100, calls: 50, loads: 8, load: time.Second, streams: 50})
		must(b, err)
	}
	var limits bench.Limits
	text := tables(r, &limits) + "\n" + machineLine(versionOf(b, w.program)) + bench.YardstickLine(b)
	b.ReportMetric(0, "ns/op")
	for _, s := range r.single {
		b.ReportMetric(s.through.p50-s.direct.p50, s.method.name+"-more-p50-ms")
		b.ReportMetric(s.rest.p50/s.through.p50, s.method.name+"-rest/grpc")
	}
	b.Log("\n" + text)
	must(b, bench.Write("../README.md", "speed", "gateway", text))
	for _, missed := range limits.Missed {
		b.Error(missed)
	}
}

// versionOf returns the name and version of nginx.
func versionOf(t testing.TB, program string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "-v").CombinedOutput() //nolint:gosec // it was found by nginxtest
	must(t, err)
	return strings.TrimPrefix(string(bytes.TrimSpace(out)), "nginx version: ")
}

// TestMeasure_EveryRowHasANumber measures just enough to have every number.
func TestMeasure_EveryRowHasANumber(t *testing.T) {
	w := newWorld(t)
	r, err := w.measure(t.Context(), extent{rounds: 1, calls: 5, loads: 1, load: 150 * time.Millisecond, streams: 1})
	must(t, err)
	if len(r.single) != 2 || len(r.loads) != 6 || len(r.streams) != 2 {
		t.Errorf("there are %d methods, %d loads and %d streams", len(r.single), len(r.loads), len(r.streams))
	}
	for _, s := range r.single {
		for way, p := range map[string]percentiles{"direct": s.direct, "through the gateway": s.through, "REST": s.rest} {
			if p.p50 <= 0 || p.p99 < p.p50 {
				t.Errorf("%s, %s: %+v", s.method.name, way, p)
			}
		}
	}
	for _, l := range r.loads {
		if l.calls == 0 || l.took <= 0 {
			t.Errorf("%s: %+v", l.name, l)
		}
		if used := l.used; l.gateway && (used.nginx == 0 || used.agent == 0 || used.lines == 0 || used.lines > l.calls) {
			t.Errorf("%s: %+v", l.name, l)
		}
		if !l.gateway && l.used.lines != 0 {
			t.Errorf("%s: calls that are direct are in the access log of the gateway: %+v", l.name, l)
		}
	}
	for _, s := range r.streams {
		if s.direct <= 0 || s.through <= 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestTables_MissedLimitIsMarked(t *testing.T) {
	r := result{
		single: []single{
			{method{name: "Fast", route: "GET /fast"}, percentiles{0.2, 1}, percentiles{0.5, 2}, percentiles{1, 3}},
			{method{name: "Slow", route: "GET /slow"}, percentiles{0.2, 1}, percentiles{0.9, 2}, percentiles{1.8, 3}},
		},
		loads: []load{
			{name: "Fast, direct", calls: 1000, took: time.Second},
			{name: "Fast, through the gateway", gateway: true, calls: 1000, took: 2 * time.Second, used: used{250 * time.Millisecond, 250 * time.Millisecond, 800}},
		},
		streams: []stream{{"from the service", 400, 100}},
	}
	const want = `| one call at a time | p50 | p99 | p50 compared | limit |
|---|---|---|---|---|
| Fast, direct | 0.20 ms | 1.00 ms | | |
| Fast, through the gateway | 0.50 ms | 2.00 ms | +0.30 ms: direct | 0.5 ms |
| GET /fast, through the gateway | 1.00 ms | 3.00 ms | × 2.00: gRPC through the gateway | |
| Slow, direct | 0.20 ms | 1.00 ms | | |
| Slow, through the gateway | 0.90 ms | 2.00 ms | +0.70 ms: direct | **0.5 ms, missed** |
| GET /slow, through the gateway | 1.80 ms | 3.00 ms | × 2.00: gRPC through the gateway | |

| 32 calls at a time | calls/s | calls per CPU second of nginx | of nginx and the agent | in the access log |
|---|---|---|---|---|
| Fast, direct | 1000 | | | |
| Fast, through the gateway | 500 | 4000 | 2000 | 80.0 % |

| a stream of 10 MB | direct | through the gateway | share |
|---|---|---|---|
| from the service | 400 MB/s | 100 MB/s | 25 % |
`
	var limits bench.Limits
	if got := tables(r, &limits); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(limits.Missed) != 1 || limits.Missed[0] != "Slow through the gateway: the p50 more than direct: 0.7 ms, the limit is 0.5" {
		t.Errorf("missed %q", limits.Missed)
	}
}

func TestProcessorTime_IsThatOfTheProcess(t *testing.T) {
	before, err := processorTime(os.Getpid())
	must(t, err)
	const burnt = 20 * time.Millisecond
	// Another clock has the same time: that of this process by getrusage.
	var first, last syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &first))
	for spent := time.Duration(0); spent < burnt; spent = time.Duration(last.Utime.Nano() + last.Stime.Nano() - first.Utime.Nano() - first.Stime.Nano()) {
		must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &last))
	}
	after, err := processorTime(os.Getpid())
	must(t, err)
	if got := after - before; got < burnt || got > 2*burnt {
		t.Errorf("the process has used %v, want about %v", got, burnt)
	}
	ended := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	must(t, ended.Run())
	if _, err := processorTime(ended.Process.Pid); err == nil {
		t.Error("a process that has ended has a time")
	}
}
