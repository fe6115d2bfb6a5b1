package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// ratesWindow is over how long call rates are taken: short enough to see a burst, long enough for ten scrapes.
const ratesWindow = 10 * time.Second

// feed is what the screen reads, each part from a source of its own.
type feed struct {
	name     string
	edges    func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error)
	breakers func(ctx context.Context) ([]telemetry.Breaker, error)
	pods     func(ctx context.Context, release string) ([]telemetry.Pod, error)
	run      func() (*telemetry.Run, error)
}

func newFeed(ctx context.Context, s *session) (*feed, error) {
	conn, err := s.dial(ctx, "loadgen")
	if err != nil {
		return nil, err
	}
	return &feed{
		name: s.name, edges: s.prometheus.Edges, breakers: breakers{loadgenv1.NewLoadGeneratorClient(conn)}.Breakers,
		pods: s.workloads.Pods, run: func() (*telemetry.Run, error) { return readRun(s.folders, s.name) },
	}, nil
}

// Snapshot asks all sources at the same time; a source that does not answer makes the whole stale.
func (f *feed) Snapshot(ctx context.Context) (telemetry.Snapshot, error) {
	snap := telemetry.Snapshot{At: time.Now(), Sandbox: f.name}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { snap.Edges, err = f.edges(ctx, ratesWindow); return })
	g.Go(func() (err error) { snap.Breakers, err = f.breakers(ctx); return })
	g.Go(func() (err error) { snap.Pods, err = f.pods(ctx, ""); return })
	g.Go(func() (err error) { snap.Run, err = f.run(); return })
	return snap, g.Wait()
}
