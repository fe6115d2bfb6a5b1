package scenarios

import (
	"fmt"
	"time"
)

type latency struct {
	Of       string
	Quantile float64
	AtMost   time.Duration
}

func latencyKind() ExpectationKind {
	return ExpectationKind{
		Name: "latency",
		Doc:  "A quantile of the time from a call's intended start to its end.",
		Fields: []Field{
			{"of", "load", true, "browse", "whose calls"},
			{"quantile", "number between 0 and 1", true, "0.99", "0.99 is the latency that 99 % of calls did not exceed"},
			{"atMost", "duration", true, "250ms", "the most that holds"},
		},
		decode: func(o object) Expectation {
			return latency{o.refer("of", aLoad), o.quantile("quantile"), o.span("atMost")}
		},
	}
}

func (x latency) String() string {
	return fmt.Sprintf("p%s latency of %s", decimal(x.Quantile*100), x.Of)
}

func (x latency) check(e evidence) Finding {
	f := Finding{Name: x.String(), Comparison: "<=", Limit: Value{Number: millis(x.AtMost)}, Unit: "ms"}
	h := e.loads[x.Of].Latency
	if h == nil || h.TotalCount() == 0 {
		return f.unknown("no call finished")
	}
	got := time.Duration(h.ValueAtQuantile(x.Quantile*100)) * time.Microsecond
	f.Observed.Number = millis(got)
	return f.held(got <= x.AtMost)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
