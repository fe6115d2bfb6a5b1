package governance

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Process is what all parts of one program share.
type Process struct {
	// Config is the configuration with its defaults.
	Config Config
	// Log adds the service and the pod to each record.
	Log *slog.Logger
	// Metrics, Events, Breakers and Policy are never nil. Breakers and Policy are those of the connections that Dial makes. If there is a PolicyFile, Policy
	// follows it.
	Metrics  *Metrics
	Events   *Events
	Breakers *Breakers
	Policy   *policy.Policy
	// Identity is nil in plaintext.
	Identity *Identity
	// Tracing is Config.Tracing, or the provider that was made without it.
	Tracing trace.TracerProvider
	// Stopping is closed when the program is asked to stop, before the drain. Long streams should end then.
	Stopping <-chan struct{}

	// policyFile is nil without a file.
	policyFile *policy.File
	readiness  readiness

	// stop ends a process that Start has made.
	stop  context.CancelFunc
	ctx   context.Context
	group *errgroup.Group
	work  []func(context.Context) error

	mu     sync.Mutex
	closes []func() error
	// callees are the names of the dialed services.
	callees []string
}

// Go runs work while the program serves. Its context ends when the program is asked to stop, and its error stops the program. Go must be
// called during registration.
func (p *Process) Go(work func(ctx context.Context) error) { p.work = append(p.work, work) }

// Every calls do once per interval, the first time after one interval, until ctx ends or do fails. It returns the error of do; the end of ctx
// is not an error.
func Every(ctx context.Context, interval time.Duration, do func(ctx context.Context) error) error {
	return pause.Every(ctx, interval, do)
}

// Callees returns the names of the services to which the process has connected with Dial. They are complete after registration.
func (p *Process) Callees() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.callees)
}

// Dial connects to another service, with the metrics, policy, breakers and identity of this process. Run and Close close the connection. In Run,
// Dial must be called during registration; after Start, it can be called at any time.
func (p *Process) Dial(target, callee string, fallbacks ...Fallback) (*grpc.ClientConn, error) {
	conn, err := Dial(target, ClientConfig{Callee: callee, Identity: p.Identity, Breakers: p.Breakers,
		Policy: p.Policy, Fallbacks: fallbacks, Metrics: p.Metrics, Events: p.Events, Tracing: p.Tracing, Log: p.Log, LookupInterval: p.Config.LookupInterval,
		Options: p.Config.DialOptions})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closes = append(p.closes, conn.Close)
	p.callees = append(p.callees, callee)
	return conn, nil
}
