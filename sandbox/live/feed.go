package live

import (
	"context"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
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

// Feed returns what the screen reads, one entry per source. It connects to the load generator when that is first read, so that the screen also
// opens while a part of the cluster is down.
func (c *Cluster) Feed() telemetry.Feed {
	return sources{
		edges: c.Prometheus.Edges, breakers: c.loadgenBreakers(), pods: c.Workloads.Pods,
		run: func() (*telemetry.Run, error) { return LastRun(c.Folders, c.Name) },
	}.feed()
}

func (s sources) feed() telemetry.Feed {
	return telemetry.Feed{
		telemetry.Prometheus.Reader(func(ctx context.Context) ([]telemetry.Edge, error) { return s.edges(ctx, ratesWindow) }),
		telemetry.LoadGenerator.Reader(func(ctx context.Context) ([]telemetry.Breaker, error) { return s.breakers(ctx) }),
		telemetry.Cluster.Reader(func(ctx context.Context) ([]telemetry.Pod, error) { return s.pods(ctx, "") }),
		telemetry.Scenario.Reader(func(context.Context) (*telemetry.Run, error) { return s.run() }),
	}
}

// loadgenBreakers returns a function that reads the breakers of the load generator over one connection.
func (c *Cluster) loadgenBreakers() func(context.Context) ([]telemetry.Breaker, error) {
	var mu sync.Mutex
	var rpc loadgenv1.LoadGeneratorClient
	return func(ctx context.Context) ([]telemetry.Breaker, error) {
		mu.Lock()
		defer mu.Unlock()
		if rpc == nil {
			conn, err := c.Dial(ctx, charts.LoadGenerator)
			if err != nil {
				return nil, err
			}
			rpc = loadgenv1.NewLoadGeneratorClient(conn)
		}
		return breakers{rpc}.Breakers(ctx)
	}
}
