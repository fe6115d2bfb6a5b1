package governance

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// ServerConfig describes a server. The zero value of each field means what stands beside it.
type ServerConfig struct {
	Pod         string               // sent in x-serving-pod; no such header
	Identity    *Identity            // plaintext when nil
	Policy      *Policy              // the defaults when nil
	MaxAge      time.Duration        // 30s: connections are closed so that callers look at DNS again and find new replicas
	MaxAgeGrace time.Duration        // 10s more for the calls on them
	Health      *health.Server       // no health service when nil
	Metrics     *Metrics             // a registry nobody reads when nil
	Tracing     trace.TracerProvider // no spans when nil
	Log         *slog.Logger         // slog.Default()
	Options     []grpc.ServerOption  // applied last

	random func() float64 // for tests
}

func (c ServerConfig) withDefaults() ServerConfig {
	orDefault(&c.MaxAge, 30*time.Second)
	orDefault(&c.MaxAgeGrace, 10*time.Second)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	return c
}

// Server makes a server with reflection and, when there is one, the health service. Register services, then Serve.
func Server(cfg ServerConfig) *grpc.Server {
	cfg = cfg.withDefaults()
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = newHandshakes(credentials.NewTLS(cfg.Identity.ServerTLS()), cfg.Log)
	}
	governed := newServer(cfg)
	options := append([]grpc.ServerOption{
		grpc.Creds(transport),
		grpc.ChainUnaryInterceptor(governed.unary),
		grpc.ChainStreamInterceptor(governed.streaming),
	}, tuningOf(cfg.Policy.load().source.GetTuning()).server(cfg.MaxAge, cfg.MaxAgeGrace)...)
	s := grpc.NewServer(append(options, cfg.Options...)...)
	if cfg.Health != nil {
		healthv1.RegisterHealthServer(s, cfg.Health)
	}
	reflection.Register(s)
	return s
}

// HealthServer answers health checks alone, in plaintext: the kubelet has no client certificate to show.
func HealthServer(h *health.Server) *grpc.Server {
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, h)
	return s
}

// Drain lets callers go before the server does: it answers NOT_SERVING, goes on serving for delay while endpoints and DNS forget it,
// then sends GOAWAY and waits for the calls in flight, at most limit.
func Drain(ctx context.Context, s *grpc.Server, h *health.Server, delay, limit time.Duration) {
	h.Shutdown()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.GracefulStop()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		s.Stop()
		<-done
	}
}
