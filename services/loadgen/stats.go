package loadgen

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Overloaded is the code of an arrival that was due and not sent, because too many calls were in flight.
const Overloaded = "OVERLOADED"

// Latencies from 1 µs to 10 min, to three digits.
const maxLatency = 10 * time.Minute

// tally counts one load. All fields move together under one lock, so that every reading adds up.
type tally struct {
	intendedTotal prometheus.Counter
	callsTotal    *prometheus.CounterVec // by code

	mu                 sync.Mutex
	intended, sent, ok int64
	errors             map[string]int64
	latency            *hdr.Histogram
}

func newTally(intended prometheus.Counter, calls *prometheus.CounterVec) *tally {
	return &tally{intendedTotal: intended, callsTotal: calls, errors: map[string]int64{},
		latency: hdr.New(1, maxLatency.Microseconds(), 3)}
}

func (t *tally) sending() {
	t.intendedTotal.Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.intended++
	t.sent++
}

func (t *tally) overloaded() {
	t.intendedTotal.Inc()
	t.callsTotal.WithLabelValues(Overloaded).Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.intended++
	t.errors[Overloaded]++
}

func (t *tally) finished(latency time.Duration, err error) {
	name := code.Code(status.Code(err)).String() //nolint:gosec // a gRPC code is small
	t.callsTotal.WithLabelValues(name).Inc()
	us := min(max(latency.Microseconds(), 1), maxLatency.Microseconds())
	t.mu.Lock()
	defer t.mu.Unlock()
	if status.Code(err) == codes.OK {
		t.ok++
	} else {
		t.errors[name]++
	}
	_ = t.latency.RecordValue(us) // in range by the line above
}
