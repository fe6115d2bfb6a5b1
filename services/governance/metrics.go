package governance

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
)

// latencyBuckets are in seconds. A call within a cluster takes about a millisecond; the default deadline is one second.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics are the metrics of one process, in one registry. A program can add its own to Registry.
type Metrics struct {
	Registry *prometheus.Registry

	server, client callVecs

	breakerState        *prometheus.GaugeVec
	breakerSince        *prometheus.GaugeVec
	breakerTransitions  *prometheus.CounterVec
	breakerRejected     *prometheus.CounterVec
	concurrencyRejected *prometheus.CounterVec

	attempts    *prometheus.CounterVec
	budget      *prometheus.GaugeVec
	withheld    *prometheus.CounterVec
	fallbacks   *prometheus.CounterVec
	ejections   *prometheus.CounterVec
	ejected     *prometheus.GaugeVec
	refused     *prometheus.CounterVec
	inFlight    *prometheus.GaugeVec
	queued      *prometheus.CounterVec
	shedLimit   *prometheus.GaugeVec
	shedCalls   *prometheus.GaugeVec
	shedRefused *prometheus.CounterVec
	faults      *prometheus.CounterVec

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
	m := &Metrics{Registry: prometheus.NewRegistry(), server: newCallVecs("server"), client: newCallVecs("client", "callee")}
	counters := func(name, what string, labels ...string) *prometheus.CounterVec {
		return register(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandbox_" + name, Help: what}, labels))
	}
	gauges := func(name, what string, labels ...string) *prometheus.GaugeVec {
		return register(m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sandbox_" + name, Help: what}, labels))
	}
	counter := func(name, what string) prometheus.Counter {
		return register(m, prometheus.NewCounter(prometheus.CounterOpts{Name: "sandbox_" + name, Help: what}))
	}
	gauge := func(name, what string) prometheus.Gauge {
		return register(m, prometheus.NewGauge(prometheus.GaugeOpts{Name: "sandbox_" + name, Help: what}))
	}
	m.breakerState = gauges("breaker_state", "0 closed, 1 open, 2 half-open.", "callee", "method")
	m.breakerSince = gauges("breaker_since_seconds", "Unix time at which the breaker entered its state.", "callee", "method")
	m.breakerTransitions = counters("breaker_transitions_total", "Changes of state.", "callee", "method", "from", "to", "reason")
	m.breakerRejected = counters("breaker_rejected_total", "Calls an open or half-open breaker refused.", "callee", "method")
	m.concurrencyRejected = counters("concurrency_rejected_total", "Calls refused because too many were in flight.", "callee", "method")

	m.attempts = counters("attempts_total", "Attempts to reach a server: the first of a call, a retry or a hedge.", "callee", "method", "kind")
	m.budget = gauges("retry_budget_tokens", "Tokens left; there are no retries at half of the full budget or below.", "callee")
	m.withheld = counters("retry_withheld_total", "Failed attempts that were not retried because the budget was spent.", "callee", "method")
	m.ejections = counters("outlier_ejections_total", "Replicas that were ejected because they failed.", "callee", "reason")
	m.ejected = gauges("outlier_ejected", "Replicas that get no calls now because they failed.", "callee")
	m.fallbacks = counters("fallbacks_total", "Calls answered by a fallback.", "callee", "method", "code")
	m.refused = counters("refused_total", "Calls refused on arrival.", "method", "reason")
	m.inFlight = gauges("bulkhead_in_flight", "Calls being served.", "method")
	m.queued = counters("rate_queued_seconds_total", "Seconds that calls waited in leaky buckets.", "method")
	m.shedLimit = gauges("shed_limit", "Calls at once that the adaptive limit allows now; 0 when nothing is shed.", "group")
	m.shedCalls = gauges("shed_in_flight", "Unary calls that hold a place of the adaptive limit now.", "group")
	m.shedRefused = counters("shed_refused_total", "Calls shed.", "method", "priority")
	m.faults = counters("faults_injected_total", "Faults injected on purpose.", "side", "method", "fault", "kind")

	m.policyErrors = counter("policy_errors_total", "Changed policies that could not be used; the last good one stays.")
	m.policyReloads = counter("policy_reloads_total", "Policies taken into force.")
	m.policyUnmatched = gauge("policy_unmatched_patterns", "Patterns of the policy that match no method of this process.")
	m.policyInfo = gauges("policy_info", "1 for the version in force.", "version")

	m.panics = counters("panics_total", "Panics in handlers, answered with INTERNAL.", "method")
	m.deadlineRefused = counters("deadline_refused_total", "Calls refused because their deadline had passed on arrival.", "method")
	m.certExpiry = gauge("certificate_expiry_timestamp_seconds", "Unix time at which the certificate in use expires.")
	m.certInUse = gauges("tls_certificate", "1 for the certificate in use, by its SHA-256 and that of the root it was issued under.", "fingerprint", "root")
	m.trustedRoots = gauges("tls_trusted_root", "1 for each root certificate that is trusted, by its SHA-256.", "fingerprint")
	m.certReloads = counter("certificate_reloads_total", "Changed certificates taken into use.")
	m.certReloadErrors = counter("certificate_reload_errors_total", "Changed certificates that could not be used; the last good one stays.")

	m.Registry.MustRegister(append(m.server.collectors(), m.client.collectors()...)...)
	m.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func register[C prometheus.Collector](m *Metrics, c C) C {
	m.Registry.MustRegister(c)
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
