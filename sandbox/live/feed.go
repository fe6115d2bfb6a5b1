package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// ratesWindow is the period over which call rates are computed: short enough to show a burst, long enough for ten scrapes.
const ratesWindow = 10 * time.Second

// Feed implements tui.Feed: it reads the parts of the screen, each from its own source.
type Feed struct {
	edges    func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error)
	breakers func(ctx context.Context) ([]telemetry.Breaker, error)
	pods     func(ctx context.Context, release string) ([]telemetry.Pod, error)
	run      func() (*telemetry.Run, error)
}

// Feed returns the feed of the screen. It connects to the load generator when that is first read, so that the screen also opens for a cluster in
// trouble.
func (c *Cluster) Feed() *Feed {
	return &Feed{
		edges: c.Prometheus.Edges, breakers: c.loadgenBreakers(), pods: c.Workloads.Pods,
		run: func() (*telemetry.Run, error) { return LastRun(c.Folders, c.Name) },
	}
}

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

// Read reads one source. The snapshot has only the part of that source.
func (f *Feed) Read(ctx context.Context, source telemetry.Source) (snap telemetry.Snapshot, err error) {
	snap.At = time.Now()
	switch source {
	case telemetry.Prometheus:
		snap.Edges, err = f.edges(ctx, ratesWindow)
	case telemetry.LoadGenerator:
		snap.Breakers, err = f.breakers(ctx)
	case telemetry.Cluster:
		snap.Pods, err = f.pods(ctx, "")
	case telemetry.Scenario:
		snap.Run, err = f.run()
	default:
		err = fmt.Errorf("reading source %d: %w", source, errors.ErrUnsupported)
	}
	return snap, err
}
