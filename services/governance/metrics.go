package governance

import (
	"cmp"
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// latencyBuckets are in seconds. A call within a cluster takes about a millisecond; the default deadline is one second.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// MetricsConfig describes where metrics are registered and what they are called. The zero value of each field selects the default in its comment.
type MetricsConfig struct {
	// Registerer is where the metrics are registered. They are removed when the process ends. Default: a registry of their own, which has the metrics
	// of the Go runtime and of the operating system's process too.
	Registerer prometheus.Registerer
	// Gatherer is what the address of the metrics serves. Default: Registerer, which has to be a Gatherer too, as registries are.
	Gatherer prometheus.Gatherer
	// Prefix starts the names of the metrics of this package instead of sandbox_. Those that start with grpc_ keep their standard names; to change
	// these too, or to add labels, wrap the Registerer with prometheus.WrapRegistererWithPrefix or WrapRegistererWith. Default: sandbox_.
	Prefix string
}

// Metrics are the metrics of one process. A program can register its own at Registerer.
type Metrics struct {
	// Registerer is where the metrics are registered, and Gatherer returns their values. Neither is nil. See MetricsConfig.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer

	// all has every metric, in the order of registration.
	all []prometheus.Collector

	server, client callVecs

	breakerState        *prometheus.GaugeVec
	breakerSince        *prometheus.GaugeVec
	breakerTransitions  *prometheus.CounterVec
	breakerRejected     *prometheus.CounterVec
	breakerSlow         *prometheus.CounterVec
	concurrencyRejected *prometheus.CounterVec

	shadowBreakerState       *prometheus.GaugeVec
	shadowBreakerTransitions *prometheus.CounterVec

	// These set the gauges that several connections to a callee have in common.
	breakers, shadowBreakers *worstGauge[edge, BreakerState]
	budgets                  *worstGauge[prometheus.Gauge, float64]

	attempts   *prometheus.CounterVec
	budget     *prometheus.GaugeVec
	withheld   *prometheus.CounterVec
	classified *prometheus.CounterVec
	throttled  *prometheus.CounterVec
	fallbacks  *prometheus.CounterVec
	ejections  *prometheus.CounterVec
	ejected    *prometheus.GaugeVec
	unhealthy  *prometheus.GaugeVec

	handshakesRefused *prometheus.CounterVec

	deferred    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	inFlight    *prometheus.GaugeVec
	queued      *prometheus.CounterVec
	shedLimit   *prometheus.GaugeVec
	shedCalls   *prometheus.GaugeVec
	shedRefused *prometheus.CounterVec
	shadowed    *prometheus.CounterVec
	faults      *prometheus.CounterVec

	shadowFaults    *prometheus.CounterVec
	shadowEjections *prometheus.CounterVec
	shadowEjected   *prometheus.GaugeVec

	policyErrors    prometheus.Counter
	policyReloads   prometheus.Counter
	policyUnmatched prometheus.Gauge
	policyInfo      *prometheus.GaugeVec

	panics          *prometheus.CounterVec
	deadlineRefused *prometheus.CounterVec
	certExpiry      prometheus.Gauge
	certInUse       *prometheus.GaugeVec
	trustedRoots    *prometheus.GaugeVec
	// The current series of the last two. Only the goroutine that reloads certificates uses these fields.
	certificateSeries, rootSeries []prometheus.Labels
	certReloads                   prometheus.Counter
	certReloadErrors              prometheus.Counter
}

// NewMetrics makes metrics in a registry of their own, so that two in one program do not collide.
func NewMetrics() *Metrics {
	m, err := NewMetricsWith(MetricsConfig{})
	if err != nil {
		// A new registry refuses no metric of this package.
		panic(err)
	}
	return m
}

// NewMetricsWith makes metrics. It fails, and registers nothing, if the Registerer refuses one: it has a metric of that name already.
func NewMetricsWith(cfg MetricsConfig) (*Metrics, error) {
	m := &Metrics{Registerer: cfg.Registerer, Gatherer: cfg.Gatherer}
	m.define(cmp.Or(cfg.Prefix, "sandbox_"))
	if m.Registerer == nil {
		registry := prometheus.NewRegistry()
		m.Registerer = registry
		m.all = append(m.all, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	if m.Gatherer == nil {
		gatherer, ok := m.Registerer.(prometheus.Gatherer)
		if !ok {
			return nil, remedy.New("the Registerer of the metrics gathers none", remedy.Advice("set Gatherer to the registry that it registers at"))
		}
		m.Gatherer = gatherer
	}
	for i, c := range m.all {
		if err := m.Registerer.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, remedy.Wrap(fmt.Errorf("registering the metrics: %w", err),
				remedy.Advice("give each process a registry of its own, or wrap the Registerer with prometheus.WrapRegistererWith"))
		}
	}
	return m, nil
}

// unregister removes the metrics from the Registerer.
func (m *Metrics) unregister() {
	for _, c := range m.all {
		m.Registerer.Unregister(c)
	}
}

// define makes every metric.
func (m *Metrics) define(prefix string) {
	m.server, m.client = newCallVecs("server"), newCallVecs("client", "callee")
	d := definer{m, prefix}
	m.defineCalls(d)
	m.defineProcess(d)
	m.all = append(m.all, m.server.collectors()...)
	m.all = append(m.all, m.client.collectors()...)
}

// defineCalls makes the metrics of calls.
func (m *Metrics) defineCalls(d definer) {
	counters, gauges := d.counters, d.gauges
	m.breakerState = gauges("breaker_state", "0 closed, 1 open, 2 half-open.", "callee", "method")
	m.breakerSince = gauges("breaker_since_seconds", "Unix time at which the breaker entered its state.", "callee", "method")
	m.breakerTransitions = counters("breaker_transitions_total", "Changes of state.", "callee", "method", "from", "to", "reason")
	m.breakerRejected = counters("breaker_rejected_total", "Calls an open or half-open breaker refused.", "callee", "method")
	m.breakerSlow = counters("breaker_slow_calls_total", "Calls that took longer than the breaker's slowCallDuration.", "callee", "method")
	m.concurrencyRejected = counters("concurrency_rejected_total", "Calls refused because too many were in flight.", "callee", "method")

	m.shadowBreakerState = gauges("shadow_breaker_state", "State that a breaker in shadow mode would have: 0 closed, 1 open, 2 half-open.", "callee", "method")
	m.shadowBreakerTransitions = counters("shadow_breaker_transitions_total", "Changes of state of breakers in shadow mode.", "callee", "method", "from", "to", "reason")

	m.attempts = counters("attempts_total", "Attempts to reach a server: the first of a call, a retry or a hedge.", "callee", "method", "kind")
	m.budget = gauges("retry_budget_tokens", "Tokens left; there are no retries at half of the full budget or below.", "callee")
	m.breakers = newWorstGauge(BreakerState.compareState, m.showBreaker)
	m.shadowBreakers = newWorstGauge(BreakerState.compareState, m.showShadowBreaker)
	m.budgets = newWorstGauge(func(a, b float64) int { return cmp.Compare(b, a) }, func(g prometheus.Gauge, tokens float64) { g.Set(tokens) })
	m.withheld = counters("retry_withheld_total", "Failed attempts that were not retried because the budget was spent.", "callee", "method")
	m.classified = counters("classified_total", "Calls whose outcome was judged by classify in the policy: success, ignored or failure.", "callee", "method", "code", "class")
	m.throttled = counters("throttled_total", "Calls that were refused here because many calls failed.", "callee", "method")
	m.ejections = counters("outlier_ejections_total", "Replicas that were ejected because they failed.", "callee", "reason")
	m.ejected = gauges("outlier_ejected", "Replicas that get no calls now because they failed.", "callee")
	m.unhealthy = gauges("unhealthy_replicas", "Replicas that get no calls now because they report NOT_SERVING.", "callee")
	m.deferred = counters("slow_start_deferred_total", "Attempts that went to another replica because the chosen one had just become ready.", "callee")
	m.fallbacks = counters("fallbacks_total", "Calls answered by a fallback.", "callee", "method", "code")
	m.refused = counters("refused_total", "Calls refused on arrival.", "method", "reason")
	m.inFlight = gauges("bulkhead_in_flight", "Calls being served.", "method")
	m.queued = counters("rate_queued_seconds_total", "Seconds that calls waited in leaky buckets.", "method")
	m.shedLimit = gauges("shed_limit", "Calls at once that the adaptive limit allows now; 0 when nothing is shed.", "group")
	m.shedCalls = gauges("shed_in_flight", "Unary calls that hold a place of the adaptive limit now.", "group")
	m.shedRefused = counters("shed_refused_total", "Calls shed.", "method", "priority")
	m.shadowed = counters("shadow_refused_total", "Calls that a rule in shadow mode would have refused.", "method", "reason", "side")
	m.shadowFaults = counters("shadow_faults_total", "Calls into which a fault in shadow mode would have been injected.", "side", "method", "fault", "kind")
	m.shadowEjections = counters("shadow_outlier_ejections_total", "Replicas that an ejection in shadow mode would have ejected.", "callee", "reason")
	m.shadowEjected = gauges("shadow_outlier_ejected", "Replicas that an ejection in shadow mode would keep calls away from now.", "callee")
	m.faults = counters("faults_injected_total", "Faults injected on purpose.", "side", "method", "fault", "kind")
}

// defineProcess makes the metrics of the process and of what its calls have in common.
func (m *Metrics) defineProcess(d definer) {
	counters, gauges, counter, gauge := d.counters, d.gauges, d.counter, d.gauge
	m.policyErrors = counter("policy_errors_total", "Changed policies that could not be used; the last good one stays.")
	m.policyReloads = counter("policy_reloads_total", "Policies taken into force.")
	m.policyUnmatched = gauge("policy_unmatched_patterns", "Patterns of the policy that match no method of this process.")
	m.policyInfo = gauges("policy_info", "1 for the version in force.", "version")

	m.handshakesRefused = counters("handshakes_refused_total", "Connections that this side refused for what the peer presented.", "side", "callee", "reason")
	m.panics = counters("panics_total", "Panics in handlers, answered with INTERNAL.", "method")
	m.deadlineRefused = counters("deadline_refused_total", "Calls refused because their deadline had passed on arrival.", "method")
	m.certExpiry = gauge("certificate_expiry_timestamp_seconds", "Unix time at which the certificate in use expires.")
	m.certInUse = gauges("tls_certificate", "1 for the certificate in use, by its SHA-256 and that of the root it was issued under.", "fingerprint", "root")
	m.trustedRoots = gauges("tls_trusted_root", "1 for each root certificate that is trusted, by its SHA-256.", "fingerprint")
	m.certReloads = counter("certificate_reloads_total", "Changed certificates taken into use.")
	m.certReloadErrors = counter("certificate_reload_errors_total", "Changed certificates that could not be used; the last good one stays.")

}

// definer makes metrics whose names start with a prefix.
type definer struct {
	m      *Metrics
	prefix string
}

func (d definer) counters(name, what string, labels ...string) *prometheus.CounterVec {
	return register(d.m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.prefix + name, Help: what}, labels))
}

func (d definer) gauges(name, what string, labels ...string) *prometheus.GaugeVec {
	return register(d.m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.prefix + name, Help: what}, labels))
}

func (d definer) counter(name, what string) prometheus.Counter {
	return register(d.m, prometheus.NewCounter(prometheus.CounterOpts{Name: d.prefix + name, Help: what}))
}

func (d definer) gauge(name, what string) prometheus.Gauge {
	return register(d.m, prometheus.NewGauge(prometheus.GaugeOpts{Name: d.prefix + name, Help: what}))
}

// register adds a metric to those that are registered together.
func register[C prometheus.Collector](m *Metrics, c C) C {
	m.all = append(m.all, c)
	return c
}

func (m *Metrics) policyApplied(version string) {
	m.policyReloads.Inc()
	m.policyInfo.Reset()
	m.policyInfo.WithLabelValues(version).Set(1)
}

// exemplar links a measurement to its trace, if the trace is sampled.
func exemplar(ctx context.Context) prometheus.Labels {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		return prometheus.Labels{"trace_id": span.TraceID().String()}
	}
	return nil
}
