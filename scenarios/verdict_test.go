package scenarios

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// called is what a load did: calls of 1 ms that were answered, of 2 s that failed at the callee, and calls that were refused locally.
func called(answered, failed, refused, neverSent int64) LoadReading {
	r := newReading()
	r.OK, r.Sent = answered, answered+failed+refused
	r.Intended = r.Sent + neverSent
	r.Errors["UNAVAILABLE"], r.Errors[target.NeverLeft], r.Refused["BREAKER_OPEN"] = failed+refused, neverSent, refused
	_ = r.Latency.RecordValues(1000, answered)
	_ = r.FailedLatency.RecordValues(2_000_000, failed)
	return r
}

func TestExpectations_OfALoad(t *testing.T) {
	p99 := latency{Of: "l", Quantile: 0.99, AtMost: time.Second}
	failedP50 := latency{Of: "l", Quantile: 0.5, AtMost: time.Second, Calls: callsFailed}
	mixed := called(10, 990, 0, 0)
	_ = mixed.Latency.RecordValues(100, 990) // by a generator that records failed calls as answered ones
	for name, c := range map[string]struct {
		x        Expectation
		load     LoadReading
		least    int64
		result   string
		observed string
	}{
		"callers count local refusals":                 {availability{Of: "l", AtLeast: 0.9}, called(90, 0, 30, 0), 0, report.NotMet, "75"},
		"the callee is not blamed for them":            {availability{Of: "l", AtLeast: 0.9, Side: sideCallee}, called(90, 0, 30, 0), 0, report.Met, "100"},
		"the callee's own failures count":              {availability{Of: "l", AtLeast: 0.9, Side: sideCallee}, called(90, 30, 30, 0), 0, report.NotMet, "75"},
		"the callee had no call":                       {availability{Of: "l", Side: sideCallee}, called(0, 0, 30, 0), 0, report.NotMet, "unknown"},
		"arrivals that never left are no failed calls": {availability{Of: "l", AtLeast: 1}, called(1000, 0, 0, 10), 0, report.Met, "100"},
		"too few arrivals left":                        {availability{Of: "l", AtLeast: 0.5}, called(1000, 0, 0, 11), 0, report.NotMet, "unknown"},
		"too few arrivals left for a quantile":         {p99, called(1000, 0, 0, 11), 0, report.NotMet, "unknown"},
		"sent itself says how many":                    {sent{"l", 0.9}, called(90, 0, 0, 10), 0, report.Met, "90"},
		"19 calls are too few in a window":             {availability{Of: "l", AtLeast: 0.5}, called(19, 0, 0, 0), enough, report.NotMet, "unknown"},
		"20 calls are enough":                          {availability{Of: "l", AtLeast: 0.5}, called(10, 10, 0, 0), enough, report.Met, "50"},
		"a quantile needs 20 answered calls":           {p99, called(19, 100, 0, 0), enough, report.NotMet, "unknown"},
		"failed calls do not worsen the latency":       {p99, called(100, 100, 0, 0), 0, report.Met, "1"},
		"failed calls have their own":                  {failedP50, called(100, 100, 0, 0), 0, report.NotMet, "2000.895"},
		"local refusals do not flatter those":          {failedP50, called(100, 10, 1000, 0), 0, report.NotMet, "2000.895"},
		"no failed call has no latency":                {failedP50, called(100, 0, 10, 0), 0, report.NotMet, "unknown"},
		"latencies of failed calls among the answered": {p99, mixed, 0, report.NotMet, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.x.check(evidence{loads: map[string]LoadReading{"l": c.load}, least: c.least})
			if f.Result != c.result || f.Observed.String() != c.observed {
				t.Errorf("%s, observed %s (%s); want %s, %s", f.Result, f.Observed, f.Note, c.result, c.observed)
			}
		})
	}
}

func TestAbort_LoadThatIsHeldUpTrips(t *testing.T) {
	rule := abortAvailability{Of: "l", Below: 0.5, For: time.Second}
	for _, c := range []struct {
		over LoadReading
		want bool
	}{
		{LoadReading{Intended: 100, Errors: map[string]int64{target.NeverLeft: 100}}, true},
		{called(40, 60, 0, 0), true},
		{called(60, 40, 0, 1000), false}, // a guard judges what it sees
		{LoadReading{}, false},
	} {
		if observed, got := rule.trips(c.over); got != c.want {
			t.Errorf("%+v: tripped %v at %s", c.over, got, observed)
		}
	}
}

// TestSampler_MemoryIsBounded records a day in readings that are a second apart.
func TestSampler_MemoryIsBounded(t *testing.T) {
	sc := Scenario{Abort: []AbortRule{abortAvailability{"browse", 0.5, 24 * time.Hour}}}
	s := newSampler(sc, nil, clock.Wall{})
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
		r := LoadReading{At: epoch.Add(time.Duration(i) * time.Second), Intended: int64(i), Sent: int64(i), Errors: map[string]int64{"UNAVAILABLE": 1}}
		if i%1000 == 0 || i > 2*day-20 { // to decode all would take minutes
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

func TestSampler_WindowLiesAfterTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := newSampler(Scenario{}, nil, clock.Wall{})
		for i := range 13 { // 3 s
			r := called(int64(100*i), 0, 0, 0)
			r.At = now.Add(time.Duration(i-12) * pulse)
			s.record("l", r)
		}
		over, began, unknown := s.window("l", 2*time.Second, now.Add(-2500*time.Millisecond))
		if unknown != "" || over.OK != 800 || over.Latency.TotalCount() != 800 || !began.Equal(now.Add(-2*time.Second)) {
			t.Errorf("%s: %d calls, %d latencies from %s on", unknown, over.OK, over.Latency.TotalCount(), began)
		}
		if _, _, unknown = s.window("l", 2*time.Second, now.Add(-1900*time.Millisecond)); unknown == "" {
			t.Error("a window that begins before the change is known")
		}
		if _, _, unknown = s.window("other", 2*time.Second, time.Time{}); unknown == "" {
			t.Error("a load that was never read is known")
		}
	})
}

func TestBreakerState_Window(t *testing.T) {
	const c, o, h = telemetry.Closed, telemetry.Open, telemetry.HalfOpen
	path := []trail{walked("m", c, o, h, c)} // a second apart
	at := func(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }
	for name, w := range map[string]struct {
		state telemetry.BreakerState
		breakerWindow
		now  int
		deaf string
		met  bool
	}{
		"now":                                   {c, breakerWindow{}, 10, "", true},
		"was, and is not any more":              {o, breakerWindow{}, 10, "", false},
		"was after the change":                  {o, breakerWindow{after: at(1), passing: true}, 10, "", true},
		"was before the change":                 {o, breakerWindow{after: at(2), passing: true}, 10, "", false},
		"lasts long enough":                     {c, breakerWindow{hold: 2 * time.Second}, 5, "", true},
		"does not last long enough":             {c, breakerWindow{hold: 2 * time.Second}, 4, "", false},
		"long enough, but not since the change": {c, breakerWindow{hold: 2 * time.Second, after: at(9)}, 10, "", false},
		"is not known":                          {c, breakerWindow{}, 10, "breakers were last read 3s ago", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := breaker{From: "a", To: "b", State: w.state}.check(evidence{trails: path, breakers: w.breakerWindow, now: at(w.now), deaf: w.deaf})
			if f.Met() != w.met {
				t.Errorf("%s is %s (%s)", f.Name, f.ObservedText(), f.Note)
			}
		})
	}
}

func TestWatch_ListAheadOfItsEvent(t *testing.T) {
	w := newWorld()
	w.breaker.Caller = "" // none at first
	watch, _, err := watchBreakers(t.Context(), listedFrom{w, "a"}, clock.Wall{}, func(BreakerChange) {})
	if err != nil {
		t.Fatal(err)
	}
	w.breaker = telemetry.Breaker{Caller: "a", Callee: "b", Method: "m", State: telemetry.Open, Since: time.Now(), Reason: "26% of 50 calls failed"}
	if err := watch.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	watch.add(BreakerChange{Seq: 1, Boot: "x", At: w.breaker.Since, From: "a", To: "b", Method: "m", Old: telemetry.Closed, New: telemetry.Open})
	x := breaker{From: "a", To: "b", Trace: []telemetry.BreakerState{telemetry.Closed, telemetry.Open}}
	if f := x.check(evidence{trails: watch.snapshot()}); !f.Met() {
		t.Errorf("the breaker went closed → open; observed %s (%s)", f.ObservedText(), f.Note)
	}
}

func TestReport_EveryExpectationIsThere(t *testing.T) {
	for name, r := range reports(t) {
		if name == "plan" {
			continue
		}
		sc := scenario(t, "breaker-trip")
		want := len(sc.Steady.Expect) + 1 + len(sc.Recover.Expect) + len(sc.Expect)
		if len(r.Expectations) != want {
			t.Errorf("%s: %d expectations in the report, %d in the file", name, len(r.Expectations), want)
		}
	}
}

func TestReport_FitsIntoEightyColumns(t *testing.T) {
	for name, r := range reports(t) {
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Timeline {
			b.WriteString(TimelineLine(telemetry.Event{At: m.At, Kind: m.Kind, Subject: m.Subject, Detail: m.Detail}, r.StartedAt))
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > text.Columns {
				t.Errorf("%s: %d text.Columns: %s", name, n, line)
			}
		}
	}
}
