package governance

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/leastrequest"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
)

// Names of the two load-balancing policies of gRPC, extended to count attempts. An interceptor sees a call once; a picker sees each attempt.
const (
	countedRoundRobin   = "sandbox_round_robin"
	countedLeastRequest = "sandbox_least_request"
)

// leastRequestChoices is how many replicas are compared for each call. gRPC may draw the same replica twice: with its default of 2, one of
// three replicas that hangs would still get a ninth of the calls; with 4, one in 81.
const leastRequestChoices = 4

func balancerConfig(leastRequest bool) map[string]any {
	if leastRequest {
		return map[string]any{countedLeastRequest: map[string]int{"choiceCount": leastRequestChoices}}
	}
	return map[string]any{countedRoundRobin: struct{}{}}
}

// gRPC allows the registration of balancers during initialization only.
func init() {
	balancer.Register(countedBuilder{countedRoundRobin, balancer.Get(roundrobin.Name)})
	balancer.Register(countedBuilder{countedLeastRequest, balancer.Get(leastrequest.Name)})
}

type countedBuilder struct {
	name string
	balancer.Builder
}

// Name returns the name of the balancer, under which gRPC registers it.
func (b countedBuilder) Name() string { return b.name }

// Build builds the balancer with a connection that counts attempts.
func (b countedBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return b.Builder.Build(countedConn{cc}, opts)
}

// ParseConfig parses the configuration of the balancer.
func (b countedBuilder) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	if parser, ok := b.Builder.(balancer.ConfigParser); ok {
		return parser.ParseConfig(text)
	}
	return nil, nil
}

type countedConn struct{ balancer.ClientConn }

// UpdateState wraps the new picker.
func (c countedConn) UpdateState(s balancer.State) {
	s.Picker = countedPicker{s.Picker}
	c.ClientConn.UpdateState(s)
}

type countedPicker struct{ balancer.Picker }

// Pick picks a connection and counts the attempt.
func (p countedPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	result, err := p.Picker.Pick(info)
	if err == nil {
		if call, ok := info.Ctx.Value(clientCallKey{}).(*clientCall); ok {
			call.attempt(&result)
		}
	}
	return result, err
}

// attempt counts an attempt, and keeps account of the retry budget if the method has retries.
func (c *clientCall) attempt(result *balancer.PickResult) {
	n := c.attempts.Add(1)
	if n == 1 {
		c.method.first.Inc()
	} else {
		c.method.retries.Inc()
		c.span.AddEvent("retry", trace.WithAttributes(attribute.Int("attempt", int(n))))
	}
	if c.rule.Retry == nil {
		return
	}
	before := result.Done
	result.Done = func(done balancer.DoneInfo) {
		if before != nil {
			before(done)
		}
		c.client.budget.spend(c, n, done.Err)
	}
}

// retryBudget repeats the accounting of grpc-go, which does not expose its tokens (gRFC A6).
type retryBudget struct {
	cfg   ClientConfig
	gauge prometheus.Gauge

	mu                 sync.Mutex
	tokens, max, ratio float64
}

func newRetryBudget(cfg ClientConfig) *retryBudget {
	return &retryBudget{cfg: cfg, gauge: cfg.Metrics.budget.WithLabelValues(cfg.Callee)}
}

// reset fills the budget, as grpc-go does with every new service config.
func (b *retryBudget) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.max, b.ratio = budgetOf(b.cfg.Policy.Rules().Connection(b.cfg.Callee))
	b.tokens = b.max
	b.gauge.Set(b.tokens)
}

func (b *retryBudget) spend(c *clientCall, attempt int32, err error) {
	retriable := slices.Contains(retriableCodes(c.rule.Retry), rpccode.Name(status.Code(err)))
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.tokens = min(b.max, b.tokens+b.ratio)
	case retriable:
		b.tokens = max(0, b.tokens-1)
		if b.tokens <= b.max/2 && attempt < int32(c.rule.Retry.GetMaxAttempts()) {
			b.cfg.Metrics.withheld.WithLabelValues(c.method.callee, c.method.method).Inc()
		}
	}
	b.gauge.Set(b.tokens)
}
