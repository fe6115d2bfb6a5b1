package watch

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// called is what a load did: calls of 1 ms that were answered, of 2 s that failed at the callee, and calls that were refused locally.
func called(answered, failed, refused, neverSent int64) target.LoadReading {
	r := target.LoadReading{
		Errors: map[string]int64{}, Refused: map[string]int64{}, Latency: hdrhistogram.New(1, 60_000_000, 3), FailedLatency: hdrhistogram.New(1, 60_000_000, 3),
	}
	r.OK, r.Sent = answered, answered+failed+refused
	r.Intended = r.Sent + neverSent
	r.Errors["UNAVAILABLE"], r.Errors[target.NeverLeft], r.Refused["BREAKER_OPEN"] = failed+refused, neverSent, refused
	_ = r.Latency.RecordValues(1000, answered)
	_ = r.FailedLatency.RecordValues(2_000_000, failed)
	return r
}

// dayLong is a limit over a day.
type dayLong struct{ expect.Limit }

func (dayLong) Window() time.Duration { return 24 * time.Hour }

// TestLoads_MemoryIsBounded records a day in readings that are a second apart.
func TestLoads_MemoryIsBounded(t *testing.T) {
	sc := spec.Scenario{Abort: []expect.Limit{dayLong{}}}
	s := NewLoads(sc, nil, clock.Wall{})
	h := hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
	_ = h.RecordValues(1234, 99)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const day = 24 * 3600
	for i := range 2 * day {
		r := target.LoadReading{At: epoch.Add(time.Duration(i) * time.Second), Intended: int64(i), Sent: int64(i), Errors: map[string]int64{"UNAVAILABLE": 1}}
		// Few readings have a latency, because decoding one for each would take minutes.
		if i%1000 == 0 || i > 2*day-20 {
			r.Latency = h
		}
		s.record("browse", r)
	}
	if after := heap(); after > before+20e6 {
		t.Errorf("%d MB after two days", (after-before)/1e6)
	}
	over, full := s.last("browse", 24*time.Hour)
	if !full || over.Sent < day || over.Sent > day+day/200 {
		t.Errorf("the window of a day has %d readings of a second, want %d; full: %v", over.Sent, day, full)
	}
	runtime.KeepAlive(s)
}

func TestLoads_WindowStartsAfterTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := NewLoads(spec.Scenario{}, nil, clock.Wall{})
		// The readings span 3 s.
		for i := range 13 {
			r := called(int64(100*i), 0, 0, 0)
			r.At = now.Add(time.Duration(i-12) * Interval)
			s.record("l", r)
		}
		over, started, unknown := s.Window("l", 2*time.Second, now.Add(-2500*time.Millisecond))
		if unknown != "" || over.OK != 800 || over.Latency.TotalCount() != 800 || !started.Equal(now.Add(-2*time.Second)) {
			t.Errorf("%s: %d calls, %d latencies from %s on", unknown, over.OK, over.Latency.TotalCount(), started)
		}
		if _, _, unknown = s.Window("l", 2*time.Second, now.Add(-1900*time.Millisecond)); unknown == "" {
			t.Error("a window that starts before the change is known")
		}
		if _, _, unknown = s.Window("other", 2*time.Second, time.Time{}); unknown == "" {
			t.Error("a load that was never read is known")
		}
	})
}
