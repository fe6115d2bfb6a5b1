package expect

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// walked returns a trace whose states are a second apart.
func walked(method string, states ...telemetry.BreakerState) StateTrace {
	t := StateTrace{From: "a", To: "b", Method: method}
	for i, s := range states {
		t.Visits = append(t.Visits, Visit{s, epoch.Add(time.Duration(i) * time.Second)})
	}
	return t
}

func TestBreaker_Traces(t *testing.T) {
	const c, o, h = telemetry.Closed, telemetry.Open, telemetry.HalfOpen
	once := []telemetry.BreakerState{c, o, h, c}
	gap := walked("m", once...)
	gap.Gap = true
	for _, tc := range []struct {
		sentence string
		x        breaker
		traces   []StateTrace
		met      bool
		observed string
	}{
		{"the same states are the trace", breaker{Trace: once}, []StateTrace{walked("m", once...)}, true, "closed → open → half-open → closed"},
		{"more states are another trace", breaker{Trace: once}, []StateTrace{walked("m", c, o, h, o, h, c)}, false, "closed → open → half-open → open → half-open → closed"},
		{"more states still visit", breaker{Visits: once}, []StateTrace{walked("m", c, o, h, o, h, c)}, true, "closed → open → half-open → open → half-open → closed"},
		{"visits in another order do not count", breaker{Visits: once}, []StateTrace{walked("m", h, c, o)}, false, "half-open → closed → open"},
		{"a breaker that never changed does not spoil another's trace", breaker{Trace: once}, []StateTrace{walked("idle", c), walked("m", once...)}, true, "closed → open → half-open → closed"},
		{"one that changed spoils a trace of none", breaker{Trace: once[:1]}, []StateTrace{walked("idle", c), walked("m", c, o)}, false, "closed → open"},
		{"all that changed must match", breaker{Trace: once}, []StateTrace{walked("m", once...), walked("n", c, o)}, false, "closed → open"},
		{"only the named method is looked at", breaker{Method: "m", Trace: once}, []StateTrace{walked("m", once...), walked("n", c, o)}, true, "closed → open → half-open → closed"},
		{"no breaker is not a pass", breaker{Trace: once[:1]}, nil, false, "unknown"},
		{"no breaker has no state", breaker{State: c}, nil, false, "unknown"},
		{"a missed change is not an exact trace", breaker{Trace: once}, []StateTrace{gap}, false, "closed → open → half-open → closed"},
		{"a missed change does not unsee visits", breaker{Visits: once}, []StateTrace{gap}, true, "closed → open → half-open → closed"},
		{"the worst breaker is the path's state", breaker{State: c}, []StateTrace{walked("m", c), walked("n", c, o, h)}, false, "half-open"},
		{"open is worse than half-open", breaker{State: o}, []StateTrace{walked("m", c, o), walked("n", c, o, h)}, true, "open"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			tc.x.From, tc.x.To = "a", "b"
			other := StateTrace{From: "a", To: "elsewhere", Visits: []Visit{{o, epoch}}}
			f := tc.x.Check(Evidence{Traces: append(tc.traces, other)})
			if f.Met() != tc.met || f.Observed.Text != tc.observed {
				t.Errorf("held %t, observed %q (%s)", f.Met(), f.Observed.Text, f.Note)
			}
		})
	}
}

func TestBreaker_StateInAWindow(t *testing.T) {
	const c, o, h = telemetry.Closed, telemetry.Open, telemetry.HalfOpen
	path := []StateTrace{walked("m", c, o, h, c)}
	at := func(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }
	for name, w := range map[string]struct {
		state telemetry.BreakerState
		BreakerWindow
		now  int
		deaf string
		met  bool
	}{
		"now":                                        {c, BreakerWindow{}, 10, "", true},
		"was, and is not any more":                   {o, BreakerWindow{}, 10, "", false},
		"was after the change":                       {o, BreakerWindow{After: at(1), Passing: true}, 10, "", true},
		"was before the change":                      {o, BreakerWindow{After: at(2), Passing: true}, 10, "", false},
		"lasts long WindowCalls":                     {c, BreakerWindow{Hold: 2 * time.Second}, 5, "", true},
		"does not last long WindowCalls":             {c, BreakerWindow{Hold: 2 * time.Second}, 4, "", false},
		"long WindowCalls, but not since the change": {c, BreakerWindow{Hold: 2 * time.Second, After: at(9)}, 10, "", false},
		"is not known":                               {c, BreakerWindow{}, 10, "breakers were last read 3s ago", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := breaker{From: "a", To: "b", State: w.state}.Check(Evidence{Traces: path, BreakerWindow: w.BreakerWindow, Now: at(w.now), UnknownTraces: w.deaf})
			if f.Met() != w.met {
				t.Errorf("%s is %s (%s)", f.Name, f.ObservedText(), f.Note)
			}
		})
	}
}
