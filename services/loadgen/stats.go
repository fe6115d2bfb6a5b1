package loadgen

import (
	"fmt"
	"maps"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// Overloaded is the code of an arrival that was due but not sent, because too many calls were in flight.
const Overloaded = "OVERLOADED"

// maxLatency is the longest recorded latency. Histograms range from 1 µs to it, with three significant digits.
const maxLatency = 10 * time.Minute

// tally counts the calls of one load. All fields change under one lock, so that every reading adds up.
type tally struct {
	started       time.Time
	intendedTotal prometheus.Counter
	// callsTotal has the label code.
	callsTotal *prometheus.CounterVec

	mu                 sync.Mutex
	intended, sent, ok int64
	// errors counts failed calls by code, and refused those among them that never left the process, by reason.
	errors  map[string]int64
	refused map[string]int64
	// latency has all calls, answered the successful ones, failed the unsuccessful ones that left the process.
	latency, answered, failed *hdr.Histogram
	history                   history
}

func newTally(started time.Time, intended prometheus.Counter, calls *prometheus.CounterVec) *tally {
	histogram := func() *hdr.Histogram { return hdr.New(1, maxLatency.Microseconds(), 3) }
	return &tally{started: started, intendedTotal: intended, callsTotal: calls, errors: map[string]int64{}, refused: map[string]int64{},
		latency: histogram(), answered: histogram(), failed: histogram()}
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

// finished counts a call that was due at intended and has ended now.
func (t *tally) finished(intended time.Time, err error) {
	latency := time.Since(intended)
	name := code.Code(status.Code(err)).String() //nolint:gosec // a gRPC code is small
	t.callsTotal.WithLabelValues(name).Inc()
	us := min(max(latency.Microseconds(), 1), maxLatency.Microseconds())
	t.mu.Lock()
	defer t.mu.Unlock()
	// RecordValue fails only for values out of range, and us is within it.
	_ = t.latency.RecordValue(us)
	switch {
	case status.Code(err) == codes.OK:
		t.ok++
		_ = t.answered.RecordValue(us)
	case refusal.IsLocal(err):
		t.errors[name]++
		t.refused[refusal.Reason(err)]++
	default:
		t.errors[name]++
		_ = t.failed.RecordValue(us)
	}
	t.history.add(intended.Sub(t.started), status.Code(err) != codes.OK)
}

// stats fills in the numbers so far.
func (t *tally) stats(into *loadgenv1.LoadStats) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	into.Intended, into.Sent, into.Ok = t.intended, t.sent, t.ok
	into.Errors, into.Refused = maps.Clone(t.errors), maps.Clone(t.refused)
	into.StartedAt, into.ReadAt = timestamppb.New(t.started), timestamppb.Now()
	into.Failures = failurePeriods(t.started, t.history.periods())
	for _, h := range []struct {
		from *hdr.Histogram
		to   *[]byte
	}{{t.latency, &into.LatencyHistogram}, {t.answered, &into.AnsweredHistogram}, {t.failed, &into.FailedHistogram}} {
		var err error
		if *h.to, err = h.from.Encode(hdr.V2CompressedEncodingCookieBase); err != nil {
			return fmt.Errorf("encoding the latencies of %s: %w", into.GetName(), err)
		}
	}
	return nil
}
