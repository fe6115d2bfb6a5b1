package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// ratesWindow is over how long call rates are taken: short enough to see a burst, long enough for ten scrapes.
const ratesWindow = 10 * time.Second

// feed is what the screen reads, each part from a source of its own.
type feed struct {
	edges    func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error)
	breakers func(ctx context.Context) ([]telemetry.Breaker, error)
	pods     func(ctx context.Context, release string) ([]telemetry.Pod, error)
	run      func() (*telemetry.Run, error)
}

func newFeed(s *session) *feed {
	return &feed{
		edges: s.prometheus.Edges, breakers: s.loadgenBreakers(), pods: s.workloads.Pods,
		run: func() (*telemetry.Run, error) { return lastRunOf(s.folders, s.name) },
	}
}

// loadgenBreakers reads the breakers over a connection that is made when it is first needed, so that the screen of a cluster in trouble opens.
func (s *session) loadgenBreakers() func(context.Context) ([]telemetry.Breaker, error) {
	var mu sync.Mutex
	var rpc loadgenv1.LoadGeneratorClient
	return func(ctx context.Context) ([]telemetry.Breaker, error) {
		mu.Lock()
		defer mu.Unlock()
		if rpc == nil {
			conn, err := s.dial(ctx, "loadgen")
			if err != nil {
				return nil, err
			}
			rpc = loadgenv1.NewLoadGeneratorClient(conn)
		}
		return breakers{rpc}.Breakers(ctx)
	}
}

// Read asks one source.
func (f *feed) Read(ctx context.Context, source telemetry.Source) (snap telemetry.Snapshot, err error) {
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
