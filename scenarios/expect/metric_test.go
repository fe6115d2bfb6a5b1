package expect

import (
	"errors"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

func TestMetric_ComparesTheValue(t *testing.T) {
	for _, c := range []struct {
		sentence string
		bound    bound
		value    float64
		err      error
		result   string
		observed string
	}{
		{"at least, met", bound{Number: 10}, 10, nil, report.Met, "10"},
		{"at least, not met, is rounded down", bound{Number: 10}, 9.99999, nil, report.NotMet, "9.9999"},
		{"at most, met", bound{10, true}, 0, nil, report.Met, "0"},
		{"at most, not met, is rounded up", bound{10, true}, 10.00001, nil, report.NotMet, "10.0001"},
		{"the query has no answer", bound{10, true}, 0, errors.New("no data yet"), report.NotMet, "unknown"},
	} {
		e := Evidence{Value: func(x OfMetric) (float64, time.Time, error) {
			if got := x.QueryOver(2500 * time.Millisecond); got != "max_over_time(up[3s])" {
				t.Errorf("the query is %s", got)
			}
			return c.value, epoch, c.err
		}}
		f := (metric{Query: "max_over_time(up[$window])", bound: c.bound}).Check(e)
		if f.Result != c.result || f.Observed.String() != c.observed {
			t.Errorf("%s: %s, observed %s (%s)", c.sentence, f.Result, f.Observed, f.Note)
		}
	}
}
