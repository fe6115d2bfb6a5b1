package target

import (
	"testing"
	"time"
)

func TestParseRate_PerSecondOrMinute(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"200/s": "200/s", "90/m": "1.5/s", "0.001/s": "0.001/s"} {
		if got, err := ParseRate(in); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "200", "200/h", "NaN/s", "Inf/s", "0/s", "20001/s"} {
		if got, err := ParseRate(in); err == nil {
			t.Errorf("%q: got %s", in, got)
		}
	}
}

func TestParseShare_InPercent(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"99.5%": "99.5%", "0%": "0%", "100%": "100%"} {
		if got, err := ParseShare(in); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0.5", "50", "-1%", "101%", "NaN%"} {
		if got, err := ParseShare(in); err == nil {
			t.Errorf("%q: got %s", in, got)
		}
	}
}

func TestParseDuration_WithinADay(t *testing.T) {
	t.Parallel()
	if got, err := ParseDuration("1m30s"); err != nil || got != 90*time.Second {
		t.Errorf("got %s, %v", got, err)
	}
	for _, in := range []string{"", "1", "-1s", "25h"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q: got %s", in, got)
		}
	}
}
