package scenarios

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

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
