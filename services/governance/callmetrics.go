package governance

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// callVecs are the standard metrics of one side, grpc_server_* or grpc_client_*, with the names and labels of go-grpc-middleware.
// DECISIONS.md explains why that library does not make them.
type callVecs struct {
	// The labels are grpc_type, grpc_service and grpc_method, then the extra ones.
	started, received, sent *prometheus.CounterVec
	// handled has the label grpc_code before the extra ones.
	handled *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newCallVecs(side string, extra ...string) callVecs {
	counter := func(name, what string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_" + side + "_" + name, Help: what}, append(labels, extra...))
	}
	call := func() []string { return []string{"grpc_type", "grpc_service", "grpc_method"} }
	return callVecs{
		started:  counter("started_total", "Calls started.", call()...),
		received: counter("msg_received_total", "Messages received.", call()...),
		sent:     counter("msg_sent_total", "Messages sent.", call()...),
		handled:  counter("handled_total", "Calls completed, by code.", append(call(), "grpc_code")...),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "grpc_" + side + "_handling_seconds",
			Help: "Seconds from the start of a call to its end.", Buckets: latencyBuckets,
			// The histogram is native and classic. A scraper that understands native histograms gets buckets that are 10 % apart.
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
		}, append(call(), extra...)),
	}
}

func (v callVecs) collectors() []prometheus.Collector {
	return []prometheus.Collector{v.started, v.received, v.sent, v.handled, v.seconds}
}

// callMetrics are the metrics of one method, so that the labels are looked up only once.
type callMetrics struct {
	started, received, sent prometheus.Counter
	seconds                 prometheus.Observer
	handled                 [codes.Unauthenticated + 1]atomic.Pointer[prometheus.Counter]
	vec                     *prometheus.CounterVec
	labels, extra           []string
}

func (v callVecs) method(kind, method string, extra ...string) *callMetrics {
	service, name, _ := strings.Cut(method, "/")
	labels := []string{kind, service, name}
	with := append(append([]string{}, labels...), extra...)
	return &callMetrics{started: v.started.WithLabelValues(with...), received: v.received.WithLabelValues(with...),
		sent: v.sent.WithLabelValues(with...), seconds: v.seconds.WithLabelValues(with...), vec: v.handled, labels: labels, extra: extra}
}

func (m *callMetrics) finish(ctx context.Context, code codes.Code, took time.Duration) {
	link := exemplar(ctx)
	counter := m.handledWith(code)
	if link == nil {
		counter.Inc()
		m.seconds.Observe(took.Seconds())
		return
	}
	counter.(prometheus.ExemplarAdder).AddWithExemplar(1, link)
	m.seconds.(prometheus.ExemplarObserver).ObserveWithExemplar(took.Seconds(), link)
}

func (m *callMetrics) handledWith(code codes.Code) prometheus.Counter {
	if int(code) >= len(m.handled) {
		// gRPC has no such code.
		code = codes.Unknown
	}
	if c := m.handled[code].Load(); c != nil {
		return *c
	}
	c := m.vec.WithLabelValues(append(append(append([]string{}, m.labels...), code.String()), m.extra...)...)
	m.handled[code].Store(&c)
	return c
}

// callKind returns the value of the label grpc_type.
func callKind(clientStreams, serverStreams bool) string {
	switch {
	case clientStreams && serverStreams:
		return "bidi_stream"
	case clientStreams:
		return "client_stream"
	case serverStreams:
		return "server_stream"
	default:
		return "unary"
	}
}

// Call is a call that has ended.
type Call struct {
	// Callee is the name of the service, Method is package.Service/Method.
	Callee, Method string
	// ClientStreams and ServerStreams say which side sends a stream.
	ClientStreams, ServerStreams bool
	// Code is the code with which the call ended, Took the time from its start to its end.
	Code codes.Code
	Took time.Duration
}

// CountCall counts a call that a proxy has made on behalf of this process, as if the process itself had made it. The method must be one of a limited
// set, because each has series of its own.
func (m *Metrics) CountCall(ctx context.Context, c Call) {
	one := m.client.method(callKind(c.ClientStreams, c.ServerStreams), c.Method, c.Callee)
	one.started.Inc()
	one.finish(ctx, c.Code, c.Took)
}
