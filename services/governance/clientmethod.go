package governance

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/slowstart"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/throttle"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// client governs the calls of one connection. Each call passes the same steps: begin starts span, metrics and deadline; admit lets throttle and
// breaker decide; invoke or open injects faults and makes one or more attempts; end records the outcome; and a failed call may be answered by a
// fallback. The picker of the balancer chooses the replica of each attempt.
type client struct {
	cfg     ClientConfig
	log     *slog.Logger
	tracer  *tracer
	methods oncemap.Map[string, *clientMethod]
	budget  *retryBudget
	// outliers has the replicas of the callee.
	outliers *outlier.Set
	// slowStart is nil if new replicas get their full share of the calls at once.
	slowStart   atomic.Pointer[slowstart.Config]
	deferred    prometheus.Counter
	configuring sync.Mutex
}

// clientMethod is the state of one method of the callee. It is made with the first call.
type clientMethod struct {
	edge
	metrics *callMetrics
	// breaker, which counts the calls to which no share applies, and fallback may be nil.
	breaker  *methodBreaker
	fallback *Fallback
	span     spanTemplate
	first    prometheus.Counter
	retries  prometheus.Counter
	hedges   prometheus.Counter
	withheld prometheus.Counter
	ruled    atomic.Pointer[clientRuled]
	// reported are the rules of which log and event have a part that does not apply to streams.
	reported atomic.Pointer[policy.Rules]
	// throttling has the throttles of policies, by the calls that they count. configuring of the client guards it.
	throttling map[policy.Share]*throttle.Throttle
	// shadows reports what rules in shadow mode would have refused.
	shadows *shadowReport
	// breakers are those that count a share of the calls.
	breakers oncemap.Map[policy.Share, *methodBreaker]
	// shadowBreakers are those of rules in shadow mode.
	shadowBreakers oncemap.Map[policy.Share, *methodBreaker]
}

func newClient(cfg ClientConfig) *client {
	c := &client{cfg: cfg, log: cfg.Log.With("callee", cfg.Callee), tracer: newTracer(cfg.Tracing), budget: newRetryBudget(cfg)}
	c.outliers = newOutliers(c)
	c.deferred = cfg.Metrics.deferred.WithLabelValues(cfg.Callee)
	return c
}

func (c *client) method(fullMethod, kind string) *clientMethod {
	return c.methods.Of(fullMethod, func(fullMethod string) *clientMethod {
		e := edge{c.cfg.Callee, bareMethod(fullMethod)}
		m := &clientMethod{edge: e, metrics: c.cfg.Metrics.client.method(kind, e.method, e.callee),
			span:    newSpanTemplate(trace.SpanKindClient, e.method, attribute.String("callee", e.callee)),
			first:   c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "first"),
			retries: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "retry"), hedges: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "hedge"),
			withheld: c.cfg.Metrics.withheld.WithLabelValues(e.callee, e.method)}
		m.shadows = &shadowReport{side: "client", callee: e.callee, method: e.method, metrics: c.cfg.Metrics, events: c.cfg.Events, log: c.log}
		// An open breaker would block the calls that check whether the callee is healthy, or that repair it.
		if c.cfg.Breakers != nil && !c.cfg.Policy.Rules().Exempt(e.method) {
			m.breaker = c.cfg.Breakers.of(e)
		}
		for i, f := range c.cfg.Fallbacks {
			if f.method == e.method {
				m.fallback = &c.cfg.Fallbacks[i]
			}
		}
		return m
	})
}

func (m *clientMethod) rule(c *client) *clientRuled {
	rules := c.cfg.Policy.Rules()
	if r := m.ruled.Load(); r != nil && r.rules == rules {
		return r
	}
	rule := rules.Client(m.callee, m.method)
	r := c.ruled(rules, m, rule)
	for _, share := range rule.Shares {
		r.shares = append(r.shares, c.ruled(rules, m, share))
	}
	m.retireBreakers(r)
	m.setStreamRetry(c, r)
	c.configureReplicas()
	m.ruled.Store(r)
	return r
}
