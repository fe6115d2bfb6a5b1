// Package loadgen sends open-model load: calls start when they are due, whether or not earlier ones were answered.
package loadgen

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// Background is the name of the load that runs from start-up.
const Background = loadspec.Background

// Register adds the service, one connection per target, and the background load.
func Register(p *governance.Process, s *grpc.Server, cfg Config) error {
	server := &Server{loads: newLoads(p.Metrics.Registry), conns: map[string]grpc.ClientConnInterface{}, events: p.Events,
		breakers: p.Breakers, stopping: p.Stopping}
	for name, t := range cfg.Targets {
		conn, err := p.Dial(t.Address, t.Name)
		if err != nil {
			return err
		}
		server.conns[name] = conn
	}
	loadgenv1.RegisterLoadGeneratorServer(s, server)
	p.Go(func(ctx context.Context) error {
		defer server.loads.close()
		if cfg.BackgroundRate > 0 {
			if err := server.startBackground(ctx, cfg); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return nil
	})
	return nil
}

func (s *Server) startBackground(ctx context.Context, cfg Config) error {
	_, err := s.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: Background, Target: cfg.BackgroundTarget,
		Method: loadspec.BackgroundMethod, RequestJson: `{"userId":"u-{{ n 1 1000 }}"}`, Rate: cfg.BackgroundRate, Seed: 1})
	if err != nil {
		return fmt.Errorf("starting the background load: %w", err)
	}
	return nil
}
