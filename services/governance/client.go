package governance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// ClientConfig describes one connection. Callee is required; the zero value of the others means what stands beside them.
type ClientConfig struct {
	Callee     string               // the short name of the service called, in metrics, breakers and policies
	ServerName string               // the DNS name its certificate must carry; the host of the target when empty
	Identity   *Identity            // plaintext when nil
	Timeout    time.Duration        // deadline of a unary call that has none, where the policy names none; 1s
	Policy     *Policy              // the defaults when nil
	Breakers   *Breakers            // no breaker when nil
	Fallbacks  []Fallback           // none
	Metrics    *Metrics             // a registry nobody reads when nil
	Tracing    trace.TracerProvider // no spans when nil
	Log        *slog.Logger         // slog.Default()
	Options    []grpc.DialOption    // applied last
}

func (c ClientConfig) withDefaults() ClientConfig {
	orDefault(&c.Timeout, time.Second)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Dial connects when the first call needs it. target is dns:///<service>-headless.<namespace>.svc:<port> in a cluster.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	lookUpSoon()
	if cfg.Callee == "" {
		return nil, errors.New("dialing: the configuration names no callee")
	}
	cfg = cfg.withDefaults()
	orDefault(&cfg.ServerName, hostOf(target))
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = credentials.NewTLS(cfg.Identity.ClientTLS(cfg.ServerName))
	}
	c := newClient(cfg)
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithResolvers(c.resolver(target)),
		grpc.WithDefaultServiceConfig(c.serviceConfig()), // for a resolver among the options
		// A replaced pod is back within seconds; the default would wait up to two minutes to try it.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 3 * time.Second,
			Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}}),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}, tuningOf(cfg.Policy.load().connection(cfg.Callee).GetTuning()).client()...)
	conn, err := grpc.NewClient(target, append(options, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	return conn, nil
}

// DefaultDeadline gives a unary call that has no deadline this one. Dial does so by itself; this is for a connection made without it.
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
