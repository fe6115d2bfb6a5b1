//go:build linux

package speed

import (
	"fmt"
	"runtime"

	"github.com/grpc-sandbox/sandbox/internal/bench"
)

// latencyLimit is how much longer than a direct call the median call through the gateway may take, in milliseconds.
const latencyLimit = 0.5

// tables returns the tables of a result.
func tables(r result, limits *bench.Limits) string {
	return singleTable(r.single, limits) + "\n" + loadTable(r.loads) + "\n" + streamTable(r.streams)
}

func singleTable(all []single, limits *bench.Limits) string {
	out := "| one call at a time | p50 | p99 | p50 compared | limit |\n|---|---|---|---|---|\n"
	for _, s := range all {
		more := s.through.p50 - s.direct.p50
		out += fmt.Sprintf("| %s, direct | %.2f ms | %.2f ms | | |\n", s.method.name, s.direct.p50, s.direct.p99)
		out += fmt.Sprintf("| %s, through the gateway | %.2f ms | %.2f ms | %+.2f ms: direct | %s |\n", s.method.name, s.through.p50, s.through.p99, more,
			limits.Check(s.method.name+" through the gateway: the p50 more than direct", more, latencyLimit, "ms"))
		out += fmt.Sprintf("| %s, through the gateway | %.2f ms | %.2f ms | × %.2f: gRPC through the gateway | |\n", s.method.route, s.rest.p50, s.rest.p99, s.rest.p50/s.through.p50)
	}
	return out
}

func loadTable(all []load) string {
	out := fmt.Sprintf("| %d calls at a time | calls/s | calls per CPU second of nginx | of nginx and the agent | in the access log |\n|---|---|---|---|---|\n", concurrency)
	for _, l := range all {
		out += fmt.Sprintf("| %s | %.0f |", l.name, float64(l.calls)/l.took.Seconds())
		if !l.gateway {
			out += " | | |\n"
			continue
		}
		out += fmt.Sprintf(" %.0f | %.0f | %.1f %% |\n", float64(l.calls)/l.used.nginx.Seconds(), float64(l.calls)/(l.used.nginx+l.used.agent).Seconds(),
			100*float64(l.used.lines)/float64(l.calls))
	}
	return out
}

func streamTable(all []stream) string {
	out := "| a stream of 10 MB | direct | through the gateway | share |\n|---|---|---|---|\n"
	for _, s := range all {
		out += fmt.Sprintf("| %s | %.0f MB/s | %.0f MB/s | %.0f %% |\n", s.name, s.direct, s.through, 100*s.through/s.direct)
	}
	return out
}

// machineLine is the sentence about what was measured, and where.
func machineLine(nginx string) string {
	return fmt.Sprintf("Measured with %s and %s on %d cores, which the caller, the service, nginx and the agent share.\n", nginx, runtime.Version(), runtime.NumCPU())
}
