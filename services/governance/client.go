package governance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// roundRobin spreads calls over every address of a headless Service.
const roundRobin = `{"loadBalancingConfig":[{"round_robin":{}}]}`

// ClientConfig describes one connection. Callee is required; the zero value of the others means what stands beside them.
type ClientConfig struct {
	Callee     string               // the short name of the service called, in metrics and breakers
	ServerName string               // the DNS name its certificate must carry; Callee when empty
	Identity   *Identity            // plaintext when nil
	Timeout    time.Duration        // deadline of a unary call that has none; 1s
	Breakers   *Breakers            // no breaker when nil
	Metrics    *Metrics             // a registry nobody reads when nil
	Tracing    trace.TracerProvider // no spans when nil
	Log        *slog.Logger         // slog.Default()
	Options    []grpc.DialOption    // applied last
}

func (c ClientConfig) withDefaults() ClientConfig {
	orDefault(&c.ServerName, c.Callee)
	orDefault(&c.Timeout, time.Second)
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

// Dial connects when the first call needs it. target is dns:///<service>-headless.<namespace>.svc:<port> in a cluster.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	if cfg.Callee == "" {
		return nil, errors.New("dialing: the configuration names no callee")
	}
	cfg = cfg.withDefaults()
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = credentials.NewTLS(cfg.Identity.ClientTLS(cfg.ServerName))
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(roundRobin),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		// A replaced pod is back within seconds; the default would wait up to two minutes to try it.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 3 * time.Second,
			Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}}),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithTracerProvider(cfg.Tracing),
			otelgrpc.WithPropagators(propagation.TraceContext{}))),
		grpc.WithChainUnaryInterceptor(cfg.unary()...),
		grpc.WithChainStreamInterceptor(cfg.stream()...),
	}, cfg.Options...)
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	return conn, nil
}

// The order matters: metrics see every call, refused ones too; the deadline runs before the breaker so that it judges the outcome.
func (c ClientConfig) unary() []grpc.UnaryClientInterceptor {
	chain := []grpc.UnaryClientInterceptor{
		rootSpanUnary(c.Tracing, c.Callee),
		c.Metrics.client.UnaryClientInterceptor(grpcprom.WithExemplarFromContext(exemplar), calleeLabel(c.Callee)),
		logClientUnary(c.Log, c.Callee),
		DefaultDeadline(c.Timeout),
	}
	if c.Breakers != nil {
		chain = append(chain, breakUnary(c.Breakers, c.Callee))
	}
	return chain
}

func (c ClientConfig) stream() []grpc.StreamClientInterceptor {
	chain := []grpc.StreamClientInterceptor{
		c.Metrics.client.StreamClientInterceptor(grpcprom.WithExemplarFromContext(exemplar), calleeLabel(c.Callee)),
		logClientStream(c.Log, c.Callee),
	}
	if c.Breakers != nil {
		chain = append(chain, breakStream(c.Breakers, c.Callee))
	}
	return chain
}

// DefaultDeadline gives a unary call that has no deadline this one. A stream may live as long as it likes.
func DefaultDeadline(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, has := ctx.Deadline(); !has {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}
