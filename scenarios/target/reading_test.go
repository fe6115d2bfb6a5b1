package target

import (
	"maps"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestLoadReading_SubIsTheDifference(t *testing.T) {
	early, late := hdrhistogram.New(1, 1e6, 3), hdrhistogram.New(1, 1e6, 3)
	for _, h := range []*hdrhistogram.Histogram{early, late} {
		_ = h.RecordValues(100, 50)
	}
	_ = late.RecordValues(9000, 3)
	a := LoadReading{Intended: 55, Sent: 53, OK: 50, Errors: map[string]int64{"Internal": 2}, Latency: early}
	b := LoadReading{Intended: 60, Sent: 58, OK: 51, Errors: map[string]int64{"Internal": 2, "Unavailable": 4}, Latency: late}
	d := b.Sub(a)
	if d.Intended != 5 || d.Sent != 5 || d.OK != 1 || !maps.Equal(d.Errors, map[string]int64{"Unavailable": 4}) {
		t.Errorf("%+v", d)
	}
	if d.Latency.TotalCount() != 3 || d.Latency.ValueAtQuantile(1) < 8990 {
		t.Errorf("%d values", d.Latency.TotalCount())
	}
	if len(b.Errors) != 2 || late.TotalCount() != 53 {
		t.Error("the reading itself was changed")
	}
	if e := (LoadReading{Sent: 10, OK: 7, Errors: map[string]int64{"Internal": 1}}).WithUnanswered().Errors; e["Unanswered"] != 2 {
		t.Errorf("%v", e)
	}
}

func TestLoadReading_WithUnansweredIgnoresUnsentArrivals(t *testing.T) {
	r := LoadReading{Intended: 10_000, Sent: 5_000, OK: 1_000, Errors: map[string]int64{NeverLeft: 5_000}}.WithUnanswered()
	if r.Errors["Unanswered"] != 4_000 || r.Failed() != 4_000 {
		t.Errorf("of 5000 calls that left 1000 were answered: %v, %d failed", r.Errors, r.Failed())
	}
}

func TestLoadReading_Availability(t *testing.T) {
	for _, c := range []struct {
		r     LoadReading
		want  Share
		known bool
	}{
		{LoadReading{}, 0, false},
		{LoadReading{Sent: 5}, 0, true},
		{LoadReading{Sent: 5, OK: 3, Errors: map[string]int64{"INTERNAL": 1, NeverLeft: 9}}, 0.75, true},
	} {
		if got, known := c.r.Availability(); got != c.want || known != c.known {
			t.Errorf("%+v: got %s, known %t", c.r, got, known)
		}
	}
}
