package governance

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// ClientConfig describes one connection. Callee is required. The zero value of every other field selects the default in its comment.
type ClientConfig struct {
	// Callee is the short name of the called service, used in metrics, breakers and policies.
	Callee string
	// ServerName is the DNS name that the server's certificate must have. Default: the host of the target.
	ServerName string
	// Identity is our certificate; nil means plaintext.
	Identity *Identity
	// Timeout is the deadline of a unary call that has none, if the policy does not set one. Default: 1s.
	Timeout time.Duration
	// Policy is what is enforced; nil means the defaults.
	Policy *policy.Policy
	// Breakers has the breakers of the process; nil means none.
	Breakers *Breakers
	// Fallbacks answer methods that the callee could not answer.
	Fallbacks []Fallback
	// Metrics receives the metrics of calls. Default: a registry of its own.
	Metrics *Metrics
	// Tracing receives a span for each call; nil means none.
	Tracing trace.TracerProvider
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Options are applied last.
	Options []grpc.DialOption
}

func (c ClientConfig) withDefaults() ClientConfig {
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Dial returns a connection whose calls are governed. It connects with the first call. In a cluster, target is
// dns:///<service>-headless.<namespace>.svc:<port>.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	shortenMinLookupInterval()
	if cfg.Callee == "" {
		return nil, errors.New("dialing: the configuration names no callee")
	}
	cfg = cfg.withDefaults()
	cfg.ServerName = cmp.Or(cfg.ServerName, hostOf(target))
	transport := insecure.NewCredentials()
	if cfg.Identity != nil {
		transport = credentials.NewTLS(cfg.Identity.ClientTLS(cfg.ServerName))
	}
	c := newClient(cfg)
	options := append([]grpc.DialOption{
		grpc.WithResolvers(c.resolver(target)),
		// Used if Options contain a resolver.
		grpc.WithDefaultServiceConfig(c.serviceConfig()),
		// A replaced pod is available within seconds. With the defaults, it could take two minutes until the next attempt.
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 3 * time.Second,
			Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}}),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}, tuningOf(cfg.Policy.Rules().Connection(cfg.Callee).GetTuning()).client(transport)...)
	conn, err := grpc.NewClient(target, append(options, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	return conn, nil
}
