package governance

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// Process holds what all parts of one program share.
type Process struct {
	Config   Config
	Log      *slog.Logger
	Metrics  *Metrics
	Events   *Events
	Breakers *Breakers
	Policy   *Policy
	Identity *Identity // nil in plaintext
	Tracing  trace.TracerProvider
	// Stopping closes when the program is told to stop, before the drain: long streams should end then.
	Stopping <-chan struct{}

	policyFile *PolicyFile // nil without one
	readiness  readiness

	ctx    context.Context
	group  *errgroup.Group
	work   []func(context.Context) error
	closes []func() error

	callees []string // whom it dialed
}

// Go runs work beside the server, from the moment that listens. Its context ends when the program is told to stop; its error stops the
// program. Call it while registering.
func (p *Process) Go(work func(ctx context.Context) error) { p.work = append(p.work, work) }

// Every calls do once per interval, the first time after one interval, until ctx ends or do fails. It returns the error of do; the end of
// ctx is not an error.
func Every(ctx context.Context, interval time.Duration, do func(ctx context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := do(ctx); err != nil {
				return err
			}
		}
	}
}

// Dial connects to another service with everything this process shares. Run closes the connection. Call it while registering.
func (p *Process) Dial(target, callee string, fallbacks ...Fallback) (*grpc.ClientConn, error) {
	conn, err := Dial(target, ClientConfig{Callee: callee, Identity: p.Identity, Breakers: p.Breakers,
		Policy: p.Policy, Fallbacks: fallbacks, Metrics: p.Metrics, Tracing: p.Tracing, Log: p.Log})
	if err == nil {
		p.closes = append(p.closes, conn.Close)
		p.callees = append(p.callees, callee)
	}
	return conn, err
}
