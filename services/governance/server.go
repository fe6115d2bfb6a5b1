package governance

import (
	"context"
	"log/slog"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"
)

// ServerConfig describes a server. The zero value of each field means what stands beside it.
type ServerConfig struct {
	Pod         string               // sent in x-serving-pod
	Identity    *Identity            // plaintext when nil
	MaxAge      time.Duration        // 30s: connections are closed so that callers look at DNS again and find new replicas
	MaxAgeGrace time.Duration        // 10s more for the calls on them
	Health      *health.Server       // no health service when nil
	Metrics     *Metrics             // a registry nobody reads when nil
	Tracing     trace.TracerProvider // no spans when nil
	Log         *slog.Logger         // slog.Default()
	Options     []grpc.ServerOption  // applied last
}

func (c ServerConfig) withDefaults() ServerConfig {
	orDefault(&c.MaxAge, 30*time.Second)
	orDefault(&c.MaxAgeGrace, 10*time.Second)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Tracing == nil {
		c.Tracing = noop.NewTracerProvider()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Server makes a server with reflection and, when there is one, the health service. Register services, then Serve.
func Server(cfg ServerConfig) *grpc.Server {
	cfg = cfg.withDefaults()
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = credentials.NewTLS(cfg.Identity.ServerTLS())
	}
	// From the outside in: metrics see every call; recovery is innermost, so that all others see its INTERNAL.
	s := grpc.NewServer(append([]grpc.ServerOption{
		grpc.Creds(transport),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: cfg.MaxAge, MaxConnectionAgeGrace: cfg.MaxAgeGrace,
			Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(cfg.Tracing),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
			otelgrpc.WithFilter(func(call *stats.RPCTagInfo) bool { return !isHealth(call.FullMethodName) }))),
		grpc.ChainUnaryInterceptor(
			cfg.Metrics.server.UnaryServerInterceptor(grpcprom.WithExemplarFromContext(exemplar)),
			logServerUnary(cfg.Log), podUnary(cfg.Pod), lateUnary(cfg.Metrics), recoverUnary(cfg.Log, cfg.Metrics)),
		grpc.ChainStreamInterceptor(
			cfg.Metrics.server.StreamServerInterceptor(grpcprom.WithExemplarFromContext(exemplar)),
			logServerStream(cfg.Log), podStream(cfg.Pod), lateStream(cfg.Metrics), recoverStream(cfg.Log, cfg.Metrics)),
	}, cfg.Options...)...)
	if cfg.Health != nil {
		healthv1.RegisterHealthServer(s, cfg.Health)
	}
	reflection.Register(s)
	return s
}

func isHealth(fullMethod string) bool {
	return fullMethod == healthv1.Health_Check_FullMethodName || fullMethod == healthv1.Health_Watch_FullMethodName
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
