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

// Overloaded is the code of an arrival that was due and not sent, because too many calls were in flight.
const Overloaded = "OVERLOADED"

// Latencies from 1 µs to 10 min, to three digits.
const maxLatency = 10 * time.Minute

// tally counts one load. All fields move together under one lock, so that every reading adds up.
type tally struct {
	started       time.Time
	intendedTotal prometheus.Counter
	callsTotal    *prometheus.CounterVec // by code

	mu                        sync.Mutex
	intended, sent, ok        int64
	errors                    map[string]int64 // by code
	refused                   map[string]int64 // of those, the ones that never left, by reason
	latency, answered, failed *hdr.Histogram   // of all calls, of answered ones, of failed ones that left
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

// finished counts a call that was due at intended and ended now.
func (t *tally) finished(intended time.Time, err error) {
	latency := time.Since(intended)
	name := code.Code(status.Code(err)).String() //nolint:gosec // a gRPC code is small
	t.callsTotal.WithLabelValues(name).Inc()
	us := min(max(latency.Microseconds(), 1), maxLatency.Microseconds())
	t.mu.Lock()
	defer t.mu.Unlock()
	// In range by the line above.
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

// stats fills in what was counted so far.
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
