package tui

import (
	"math"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestFormat_Values(t *testing.T) {
	for _, tt := range []struct{ name, got, want string }{
		{"seconds", age(4900 * time.Millisecond), "4s"},
		{"minutes", age(192 * time.Second), "3m12s"},
		{"hours", age(302 * time.Minute), "5h02m"},
		{"days", age(76 * time.Hour), "3d4h"},
		{"a clock that is behind", age(-time.Second), "0s"},
		{"an unknown moment", since(noon, time.Time{}), "–"},
		{"a fast call", latency(400 * time.Microsecond), "0.4ms"},
		{"a slow call", latency(1200 * time.Millisecond), "1.2s"},
		{"a call that hangs", latency(3 * time.Hour), "3h00m"},
		{"no call", latency(0), "–"},
		{"a low rate", rate(0.25), "0.2"},
		{"a high rate", rate(12_345), "12k"},
		{"no rate", rate(math.NaN()), "–"},
		{"few errors are not none", percent(0.0004), "<0.1%"},
		{"no errors", percent(0), "0%"},
		{"all errors", percent(1), "100%"},
		{"no data on errors", percent(math.NaN()), "–"},
		{"text that would move the cursor", clean("a\x1b[2Jb\r\n\tc\u202ed"), "ab cd"},
		{"a full method", shortMethod("user.v1.UserService/GetUser"), "GetUser"},
		{"a bare method", shortMethod("GetUser"), "GetUser"},
		{"a rising rate", sparkline([]float64{0, 1, 2, math.NaN(), 8}, 6), " ▁▂▃ █"},
		{"a rate of nothing", sparkline([]float64{0, 0}, 2), "▁▁"},
		{"more than fits", sparkline([]float64{9, 9, 4, 8}, 2), "▅█"},
		{"a call that is too wide loses the end of its services", fitCall("orderservice → inventoryservice Reserve", 31), "orderserv… → inventory… Reserve"},
		{"the shorter service stays", fitCall("loadgen → inventoryservice Reserve", 26), "loadgen → invento… Reserve"},
		{"the end of a pod's name stays", fitEnds("userservice-6c9d7b5f4-x5k2p", 14), "userse…4-x5k2p"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestFit_IsExact(t *testing.T) {
	for _, s := range []string{"", "abc", "漢字漢字漢字漢字", "🎉🎉🎉🎉🎉🎉", "a long text of letters", "caller → callee Method", "漢字漢字 → 漢字漢字 🎉🎉🎉🎉🎉🎉"} {
		for width := range 20 {
			for name, f := range map[string]func(string, int) string{"fit": fit, "fitRight": fitRight, "fitEnds": fitEnds, "fitCall": fitCall} {
				if got := ansi.StringWidth(f(s, width)); got != width {
					t.Errorf("%s(%q, %d) has %d cells", name, s, width, got)
				}
			}
		}
	}
}

func TestRates_AreBounded(t *testing.T) {
	e := telemetry.Edge{Caller: "a", Callee: "b", Method: "c"}
	var r rates
	for i := range 3 * remembered {
		e.Rate = float64(i)
		r = r.with([]telemetry.Edge{e}, 0)
	}
	if got := r[idOf(e)]; len(got) != remembered || got[remembered-1] != 3*remembered-1 {
		t.Errorf("history %v", got)
	}
	if r = r.with(nil, 0); len(r) != 0 {
		t.Errorf("an edge that no longer exists is kept: %v", r)
	}
}
