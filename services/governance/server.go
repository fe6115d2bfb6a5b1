package governance

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/tap"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// ServerConfig describes a server. The zero value of each field selects the default in its comment.
type ServerConfig struct {
	// Pod is sent as x-serving-pod with every answer; empty means that it is not.
	Pod string
	// Identity is our certificate; nil means plaintext.
	Identity *Identity
	// Policy is what is enforced; nil means the defaults.
	Policy *policy.Policy
	// MaxAge is the age at which connections are closed, so that clients look up the name again and find new replicas. Off means never. Default: 30s.
	MaxAge time.Duration
	// MaxAgeGrace is how much longer the calls on such a connection may take. Off means without a limit. Default: 10s.
	MaxAgeGrace time.Duration
	// Health is the health service. Default: one that reports SERVING.
	Health *health.Server
	// Metrics receives the metrics of calls. Default: a registry of its own.
	Metrics *Metrics
	// Events receives what rules in shadow mode would have refused; nil means that it is only counted and logged.
	Events *Events
	// Tracing receives a span for each call; nil means none.
	Tracing trace.TracerProvider
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Gateways are the identities whose PartnerHeader is believed; see Config.
	Gateways []string
	// NoReflection switches server reflection off.
	NoReflection bool
	// Tap is called with the headers of each call, unless its caller was refused; see grpc.InTapHandle. That option cannot be in Options: gRPC panics if
	// it is set twice, and a server with an Identity sets it.
	Tap tap.ServerInHandle
	// Options are applied last. An interceptor among them runs inside those of this package.
	Options []grpc.ServerOption

	// random is replaced by tests.
	random func() float64
}

const (
	defaultMaxAge      = 30 * time.Second
	defaultMaxAgeGrace = 10 * time.Second
)

func (c ServerConfig) withDefaults() ServerConfig {
	c.MaxAge = cmp.Or(c.MaxAge, defaultMaxAge)
	c.MaxAgeGrace = cmp.Or(c.MaxAgeGrace, defaultMaxAgeGrace)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Health == nil {
		c.Health = health.NewServer()
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	return c
}

// Server returns a server with the health service and, unless it is switched off, reflection. The caller registers services, calls Serve, and in the end
// Stop or GracefulStop, also if Serve was never called: gRPC starts the goroutines of handlers right away.
func Server(cfg ServerConfig) *grpc.Server {
	s, _ := governedServer(cfg)
	return s
}

// workers returns how many goroutines of a server serve one call after another. A call that finds all of them busy gets a goroutine of its own. The stack of
// a new goroutine has to grow for each call, which takes about as long as everything in this package together.
func workers() uint32 { return uint32(runtime.GOMAXPROCS(0)) + 1 } //nolint:gosec // a small number

// governedServer is Server, and returns what governs its calls too.
func governedServer(cfg ServerConfig) (*grpc.Server, *server) {
	cfg = cfg.withDefaults()
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = serverHandshakes(credentials.NewTLS(cfg.Identity.ServerTLS()), cfg.Metrics, cfg.Log)
	}
	governed := newServer(cfg)
	options := append([]grpc.ServerOption{
		grpc.Creds(transport),
		grpc.ChainUnaryInterceptor(governed.unary),
		grpc.ChainStreamInterceptor(governed.streaming),
		grpc.NumStreamWorkers(workers()),
	}, tuningOf(cfg.Policy.Rules().Tuning()).server(cfg.MaxAge, cfg.MaxAgeGrace)...)
	// Without certificates no caller has an identity, and gRPC allocates something for each tap.
	if cfg.Identity != nil || cfg.Tap != nil {
		options = append(options, grpc.InTapHandle(governed.onHeaders))
	}
	s := grpc.NewServer(append(options, cfg.Options...)...)
	healthv1.RegisterHealthServer(s, cfg.Health)
	if !cfg.NoReflection {
		reflection.Register(s)
	}
	// With the first call, because services are registered until then.
	governed.registered = sync.OnceValue(func() map[string]string { return servedMethods(s) })
	return s, governed
}

// HealthServer returns a server for health checks only, in plaintext, because the kubelet has no client certificate.
func HealthServer(h *health.Server) *grpc.Server {
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, h)
	return s
}

// cancelGrace is how long handlers may take to return after the limit of a drain has cancelled their contexts.
const cancelGrace = time.Second

// Drain shuts a server down without failing calls. It reports NOT_SERVING, serves for delay while endpoints and DNS drop this pod, then sends
// GOAWAY and waits for the calls in flight, at most limit, and without a limit if it is Off. Then it cancels them and gives their handlers a second to return. It returns false
// if a handler is still running, because it ignores its context.
func Drain(ctx context.Context, s *grpc.Server, h *health.Server, delay, limit time.Duration) (finished bool) {
	h.Shutdown()
	_ = pause.For(ctx, delay)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.GracefulStop()
	}()
	var over <-chan time.Time
	if limit >= 0 {
		over = time.After(limit)
	}
	select {
	case <-done:
		return true
	case <-over:
	}
	// Stop closes the connections. GracefulStop still waits for the handlers.
	s.Stop()
	select {
	case <-done:
		return true
	case <-time.After(cancelGrace):
		return false
	}
}
