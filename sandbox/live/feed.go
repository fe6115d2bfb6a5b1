package live

import (
	"context"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// ratesWindow is the period over which call rates are computed: short enough to show a burst, long enough for ten scrapes.
const ratesWindow = 10 * time.Second

// sources are the functions that read the sources of the screen.
type sources struct {
	edges    func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error)
	breakers func(ctx context.Context) ([]telemetry.Breaker, error)
	pods     func(ctx context.Context, release string) ([]telemetry.Pod, error)
	run      func() (*telemetry.Run, error)
}

// Feed returns what the screen reads, one entry per source. It connects to the control plane when that is first read, so that the screen also
// opens while a part of the cluster is down.
func (c *Cluster) Feed() telemetry.Feed {
	return sources{
		edges: c.Prometheus.Edges, breakers: newBreakers(c.events).Breakers, pods: c.Workloads.Pods,
		run: func() (*telemetry.Run, error) { return LastRun(c.Folders, c.Name) },
	}.feed()
}

func (s sources) feed() telemetry.Feed {
	return telemetry.Feed{
		telemetry.Prometheus.Reader(func(ctx context.Context) ([]telemetry.Edge, error) { return s.edges(ctx, ratesWindow) }),
		telemetry.ControlPlane.Reader(func(ctx context.Context) ([]telemetry.Breaker, error) { return s.breakers(ctx) }),
		telemetry.Cluster.Reader(func(ctx context.Context) ([]telemetry.Pod, error) { return s.pods(ctx, "") }),
		telemetry.Scenario.Reader(func(context.Context) (*telemetry.Run, error) { return s.run() }),
	}
}
