package governance

import (
	"context"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
)

// latencyBuckets in seconds: a call in one cluster takes about a millisecond, a default deadline ends at one second.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics are the instruments of one process in one registry. Register your own in Registry.
type Metrics struct {
	Registry *prometheus.Registry

	server *grpcprom.ServerMetrics
	client *grpcprom.ClientMetrics

	breakerState        *prometheus.GaugeVec
	breakerSince        *prometheus.GaugeVec
	breakerTransitions  *prometheus.CounterVec
	breakerRejected     *prometheus.CounterVec
	concurrencyRejected *prometheus.CounterVec

	panics           *prometheus.CounterVec
	deadlineRefused  *prometheus.CounterVec
	certExpiry       prometheus.Gauge
	certReloads      prometheus.Counter
	certReloadErrors prometheus.Counter
}

// NewMetrics makes a registry of its own, so that two in one program do not collide.
func NewMetrics() *Metrics {
	edge := []string{"callee", "method"}
	counter := func(name, what string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: what}, labels)
	}
	gauge := func(name, what string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: what}, labels)
	}
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		server:   grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram(grpcprom.WithHistogramBuckets(latencyBuckets))),
		client: grpcprom.NewClientMetrics(grpcprom.WithClientContextLabels("callee"),
			grpcprom.WithClientHandlingTimeHistogram(grpcprom.WithHistogramBuckets(latencyBuckets))),
		breakerState:        gauge("sandbox_breaker_state", "0 closed, 1 open, 2 half-open.", edge...),
		breakerSince:        gauge("sandbox_breaker_since_seconds", "Unix time at which the breaker entered its state.", edge...),
		breakerTransitions:  counter("sandbox_breaker_transitions_total", "Changes of state.", "callee", "method", "from", "to", "reason"),
		breakerRejected:     counter("sandbox_breaker_rejected_total", "Calls an open or half-open breaker refused.", edge...),
		concurrencyRejected: counter("sandbox_concurrency_rejected_total", "Calls refused because too many were in flight.", edge...),
		panics:              counter("sandbox_panics_total", "Panics in handlers, answered with INTERNAL.", "method"),
		deadlineRefused:     counter("sandbox_deadline_refused_total", "Calls refused because their deadline had passed on arrival.", "method"),
		certExpiry: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sandbox_certificate_expiry_timestamp_seconds",
			Help: "Unix time at which the certificate in use expires."}),
		certReloads: prometheus.NewCounter(prometheus.CounterOpts{Name: "sandbox_certificate_reloads_total",
			Help: "Changed certificates taken into use."}),
		certReloadErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "sandbox_certificate_reload_errors_total",
			Help: "Changed certificates that could not be used; the last good one stays."}),
	}
	m.Registry.MustRegister(m.server, m.client, m.breakerState, m.breakerSince, m.breakerTransitions, m.breakerRejected,
		m.concurrencyRejected, m.panics, m.deadlineRefused, m.certExpiry, m.certReloads, m.certReloadErrors,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func stateNumber(state string) float64 {
	switch state {
	case StateOpen:
		return 1
	case StateHalfOpen:
		return 2
	default:
		return 0
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func (m *Metrics) newBreaker(s BreakerState) {
	m.breakerState.WithLabelValues(s.Callee, s.Method).Set(stateNumber(s.State))
	m.breakerSince.WithLabelValues(s.Callee, s.Method).Set(unixSeconds(s.Since))
	m.breakerRejected.WithLabelValues(s.Callee, s.Method)
	m.concurrencyRejected.WithLabelValues(s.Callee, s.Method)
}

func (m *Metrics) breakerChanged(s BreakerState, t transition) {
	m.breakerState.WithLabelValues(s.Callee, s.Method).Set(stateNumber(s.State))
	m.breakerSince.WithLabelValues(s.Callee, s.Method).Set(unixSeconds(s.Since))
	m.breakerTransitions.WithLabelValues(s.Callee, s.Method, t.from, t.to, reasonClass(t)).Inc()
}

// reasonClass keeps the label to a handful of values; the numbers are in the event.
func reasonClass(t transition) string {
	switch {
	case t.to == StateHalfOpen:
		return "open_time_over"
	case t.to == StateClosed:
		return "probes_succeeded"
	case t.from == StateHalfOpen:
		return "probe_failed"
	default:
		return "failure_ratio"
	}
}

// exemplar links a measurement to the trace it belongs to, when that trace is kept.
func exemplar(ctx context.Context) prometheus.Labels {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		return prometheus.Labels{"trace_id": span.TraceID().String()}
	}
	return nil
}

func calleeLabel(callee string) grpcprom.Option {
	return grpcprom.WithLabelsFromContext(func(context.Context) prometheus.Labels {
		return prometheus.Labels{"callee": callee}
	})
}
