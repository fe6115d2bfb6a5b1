package governance

import (
	"log/slog"
	"slices"
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
	// unlinked is how many of them are not linked. unknown has those that share the name unknownMethod.
	unlinked atomic.Int32
	unknown  oncemap.Map[string, *clientMethod]
	budget   *retryBudget
	// outliers has the replicas of the callee.
	outliers *outlier.Set
	// shadowOutliers is nil if no ejection is in shadow mode.
	shadowOutliers atomic.Pointer[shadowOutliers]
	// slowStart is nil if new replicas get their full share of the calls at once.
	slowStart   atomic.Pointer[slowstart.Config]
	deferred    prometheus.Counter
	configuring sync.Mutex
}

// clientMethod is the state of one method of the callee. It is made with the first call.
type clientMethod struct {
	edge
	// group is empty unless the method stands for a group of unknown methods.
	group   string
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

// mostUnlinked is how many methods that are not linked into this program have metrics, a breaker and other state of their own. A proxy passes on the
// names that its clients invent, and would otherwise keep that for each of them.
const mostUnlinked = 100

// method returns the state of a method. Beyond mostUnlinked, methods that are not linked share one, as far as the policy treats them in the same way.
func (c *client) method(rules *policy.Rules, fullMethod, kind string) *clientMethod {
	if m, made := c.methods.Get(fullMethod); made {
		return m
	}
	name := bareMethod(fullMethod)
	linked := c.links(name)
	if !linked && c.unlinked.Load() >= mostUnlinked {
		return c.unknown.Of(kind+" "+rules.MatchingClient(c.cfg.Callee, name), func(group string) *clientMethod {
			return c.newMethod(rules, name, kind, group)
		})
	}
	return c.methods.Of(fullMethod, func(string) *clientMethod {
		if !linked {
			c.unlinked.Add(1)
		}
		return c.newMethod(rules, name, kind, "")
	})
}

// links reports whether a method is one that the program knows: its proto is linked, or it has a fallback.
func (c *client) links(name string) bool {
	_, linked := slices.BinarySearch(linkedMethods().all, name)
	return linked || slices.ContainsFunc(c.cfg.Fallbacks, func(f Fallback) bool { return f.method == name })
}

func (c *client) newMethod(rules *policy.Rules, name, kind, group string) *clientMethod {
	e := edge{c.cfg.Callee, name}
	if group != "" {
		e.method = unknownMethod
	}
	m := &clientMethod{edge: e, group: group, metrics: c.cfg.Metrics.client.method(kind, e.method, e.callee),
		span:    newSpanTemplate(trace.SpanKindClient, e.method, attribute.String("callee", e.callee)),
		first:   c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "first"),
		retries: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "retry"), hedges: c.cfg.Metrics.attempts.WithLabelValues(e.callee, e.method, "hedge"),
		withheld: c.cfg.Metrics.withheld.WithLabelValues(e.callee, e.method)}
	m.shadows = &shadowReport{side: "client", callee: e.callee, method: e.method, metrics: c.cfg.Metrics, events: c.cfg.Events, log: c.log}
	// An open breaker would block the calls that check whether the callee is healthy, or that repair it.
	if c.cfg.Breakers != nil && !rules.Exempt(name) {
		m.breaker = c.cfg.Breakers.ofGroup(breakerKey{e, group})
	}
	for i, f := range c.cfg.Fallbacks {
		if f.method == e.method {
			m.fallback = &c.cfg.Fallbacks[i]
		}
	}
	return m
}

// breakerKey returns the key of the breaker for a share of the calls.
func (m *clientMethod) breakerKey(of policy.Share) breakerKey {
	return breakerKey{edge{m.callee, of.Name(m.method)}, m.group}
}

// ruleOf returns the rule of a policy. name is the own name of the called method.
func (m *clientMethod) ruleOf(rules *policy.Rules, name string) *policy.ClientRule {
	if m.group != "" {
		return rules.UnknownClient(m.callee, name)
	}
	return rules.Client(m.callee, name)
}

// rule returns the rule for a call. name is the own name of the called method.
func (m *clientMethod) rule(c *client, rules *policy.Rules, name string) *clientRuled {
	if r := m.ruled.Load(); r != nil && r.rules == rules {
		return r
	}
	rule := m.ruleOf(rules, name)
	r := c.ruled(rules, m, name, rule)
	for _, share := range rule.Shares {
		r.shares = append(r.shares, c.ruled(rules, m, name, share))
	}
	m.retireBreakers(r)
	m.setStreamRetry(c, r)
	c.configureReplicas()
	m.ruled.Store(r)
	return r
}
