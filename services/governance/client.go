package governance

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// ClientConfig describes one connection. Callee is required. The zero value of every other field selects the default in its comment.
type ClientConfig struct {
	// Callee is the short name of the called service, used in metrics, breakers and policies.
	Callee string
	// ServerName is the DNS name that the server's certificate must have. Default: the host of the target.
	ServerName string
	// ServerIdentity is the SPIFFE ID that the server's certificate must have in addition to the name, as a pattern like those of a list of
	// callers: spiffe://sandbox.local/ns/shop/sa/*. The serverIdentity of the policy is required in addition. Default: the name is enough.
	ServerIdentity string
	// Identity is our certificate; nil means plaintext.
	Identity *Identity
	// Timeout is the deadline of a unary call that has none, if the policy does not set one. Default: 1s.
	Timeout time.Duration
	// LookupInterval is how often the name of the target is looked up, in addition to when a connection ends or a look-up has failed. Off means only then.
	// Default: 5s.
	LookupInterval time.Duration
	// Policy is what is enforced; nil means the defaults.
	Policy *policy.Policy
	// Breakers has the breakers of the process. Connections to one callee need the same policy to share them. Default: breakers of its own.
	Breakers *Breakers
	// Fallbacks answer methods that the callee could not answer.
	Fallbacks []Fallback
	// Metrics receives the metrics of calls. Default: a registry of its own.
	Metrics *Metrics
	// Events receives what rules in shadow mode would have done, and changes of the health of replicas; nil means that it is only counted and logged.
	Events *Events
	// Tracing receives a span for each call; nil means none.
	Tracing trace.TracerProvider
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Resolvers are used before the registered ones, for the targets of their schemes. Give resolvers here and not in Options, so that they
	// follow the policy. The scheme dns, which is also that of a target without a scheme, has a resolver of this package.
	Resolvers []resolver.Builder
	// Options are applied last. An interceptor among them runs inside those of this package, once for each attempt of a unary call.
	Options []grpc.DialOption

	// random is replaced by tests.
	random func() float64
}

func (c ClientConfig) withDefaults() ClientConfig {
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	c.LookupInterval = cmp.Or(c.LookupInterval, defaultLookupInterval)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	if c.Breakers == nil {
		c.Breakers = NewBreakers("", BreakerConfig{}, c.Metrics, nil)
		c.Breakers.Log, c.Breakers.ofConnection = c.Log, true
	}
	return c
}

// Dial returns a connection whose calls are governed. It connects with the first call. In a cluster, target is
// dns:///<service>-headless.<namespace>.svc:<port>.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	if cfg.Callee == "" {
		return nil, errors.New("dialing: the configuration names no callee")
	}
	cfg = cfg.withDefaults()
	scheme, endpoint, err := splitTarget(target, cfg.Resolvers)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, hostOf(scheme, endpoint))
	transport, err := cfg.transport()
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	if err := cfg.Breakers.follow(cfg.Callee, cfg.Policy); err != nil {
		return nil, fmt.Errorf("dialing %s: %w", target, err)
	}
	c := newClient(cfg)
	options := append([]grpc.DialOption{
		grpc.WithResolvers(c.resolvers(scheme)...),
		// Used with a resolver that is not ours: of an HTTP proxy, or in Options.
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

// transport returns the credentials of the connection.
func (c ClientConfig) transport() (credentials.TransportCredentials, error) {
	switch {
	case c.ServerIdentity != "" && (!strings.HasPrefix(c.ServerIdentity, "spiffe://") || pattern.Check(c.ServerIdentity) != nil):
		return nil, remedy.Errorf(remedy.Value("spiffe://sandbox.local/ns/shop/sa/*"), "reading ServerIdentity: %q is not a pattern of SPIFFE IDs", c.ServerIdentity)
	case c.ServerIdentity != "" && c.Identity == nil:
		return nil, remedy.New("a server has no identity in plaintext", remedy.Advice("set Identity, or leave ServerIdentity empty"))
	case len(c.allowedServers()) > 0 && c.Identity == nil:
		return nil, remedy.New("the policy requires an identity of the server, which has none in plaintext", remedy.Advice("set Identity, or remove serverIdentity from the policy"))
	case c.Identity == nil:
		return clientHandshakes(insecure.NewCredentials(), c), nil
	case c.ServerName == "":
		return nil, remedy.New("the target has no host with which to verify the server's certificate", remedy.Advice("set ServerName to a DNS name in that certificate"))
	}
	return clientHandshakes(credentials.NewTLS(c.Identity.clientTLS(c.ServerName, c.checkServer)), c), nil
}
