// Package loadgen implements loadgen.v1.LoadGenerator: it sends load after the open model. A call starts when it is due, whether or not
// earlier calls were answered, so a slow service does not slow down its load.
//
// A load is a rate, a method, and a template for its requests. A Pace computes when each arrival is due; each call runs in its own goroutine,
// up to a limit; and a tally counts the outcomes and latencies under one lock, so that every reading adds up.
package loadgen

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// Background is the name of the load that runs from the start of the process.
const Background = loadspec.Background

// BackgroundOrders is the name of the load of orders, which runs from the time when its target can be reached first.
const BackgroundOrders = loadspec.BackgroundOrders

// Register adds the service, a connection to each target, and the background loads to a gRPC server.
func Register(p *governance.Process, s *grpc.Server, cfg Config) error {
	server := &Server{loads: newLoads(p.Metrics.Registerer), conns: map[string]invoker{}, events: p.Events, stopping: p.Stopping,
		through: func(g *loadgenv1.Gateway) (*grpc.ClientConn, error) { return throughGateway(p, g) }}
	var orders *grpc.ClientConn
	for name, t := range cfg.Targets {
		conn, err := p.Dial(t.Address, t.Name)
		if err != nil {
			return err
		}
		server.conns[name] = conn
		if name == cfg.OrdersTarget {
			orders = conn
		}
	}
	loadgenv1.RegisterLoadGeneratorServer(s, server)
	p.Go(func(ctx context.Context) error {
		defer server.loads.close()
		if cfg.BackgroundRate > 0 {
			if err := server.startBackground(ctx, cfg); err != nil {
				return err
			}
		}
		if cfg.sellsInBackground() && awaitReady(ctx, orders) {
			if err := server.startOrders(ctx, cfg); err != nil {
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

// startOrders starts the load of orders. It leaves out the last SKU, which can sell out.
func (s *Server) startOrders(ctx context.Context, cfg Config) error {
	_, err := s.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: BackgroundOrders, Target: cfg.OrdersTarget,
		Method: loadspec.BackgroundOrdersMethod, RequestJson: `{"userId":"u-{{ n 1 1000 }}","lines":[{"sku":"sku-{{ n 1 99 }}","quantity":1}]}`,
		Rate: cfg.OrdersRate, Seed: 1})
	if err != nil {
		return fmt.Errorf("starting the background load of orders: %w", err)
	}
	return nil
}

// awaitReady connects, and waits until a replica accepts calls. It makes no call, so a service that is installed later leaves no failed calls and
// no open breaker. It returns false if ctx ended before.
func awaitReady(ctx context.Context, conn *grpc.ClientConn) bool {
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return true
		case connectivity.Idle:
			conn.Connect()
		}
		if !conn.WaitForStateChange(ctx, state) {
			return false
		}
	}
}
