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

// feed is what the screen reads.
type feed struct {
	s   *session
	rpc loadgenv1.LoadGeneratorClient
}

func newFeed(ctx context.Context, s *session) (*feed, error) {
	conn, err := s.dial(ctx, "loadgen")
	if err != nil {
		return nil, err
	}
	return &feed{s: s, rpc: loadgenv1.NewLoadGeneratorClient(conn)}, nil
}

// Snapshot asks all sources at the same time; a source that does not answer makes the whole stale.
func (f *feed) Snapshot(ctx context.Context) (telemetry.Snapshot, error) {
	snap := telemetry.Snapshot{At: time.Now(), Sandbox: f.s.name}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { snap.Edges, err = f.s.prometheus.Edges(ctx, ratesWindow); return })
	g.Go(func() (err error) { snap.Breakers, err = breakers{f.rpc}.Breakers(ctx); return })
	g.Go(func() (err error) { snap.Pods, err = f.s.workloads.Pods(ctx, ""); return })
	g.Go(func() (err error) { snap.Run, err = readRun(f.s.folders, f.s.name); return })
	return snap, g.Wait()
}
