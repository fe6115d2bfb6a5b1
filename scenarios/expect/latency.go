package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// The calls of which a quantile can be taken.
const (
	callsAnswered = "answered"
	callsFailed   = "failed"
)

type latency struct {
	Of       string
	Quantile float64
	AtMost   time.Duration
	// Calls is callsAnswered or callsFailed. Empty means callsAnswered.
	Calls string
}

func latencyKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "latency",
		Doc: "A quantile of the time from a call's intended start to its end, over the calls that were answered. " +
			"Calls that fail immediately would improve it.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "the load"),
			grammar.Required("quantile", "number between 0 and 1", "0.99", "0.99 is the latency that 99 % of calls did not exceed"),
			grammar.Required("atMost", "duration", "250ms", "the highest latency that meets it"),
			grammar.Optional("calls", "answered or failed", "failed",
				"which calls: answered (the default), or failed, which left the caller and ended in an error"),
		},
		Decode: func(o grammar.Object) Expectation {
			return latency{o.Refer("of", grammar.LoadRef), o.Quantile("quantile"), o.PositiveDuration("atMost"), o.OneOf("calls", callsAnswered, callsFailed)}
		},
	}
}

func (x latency) String() string {
	if x.Calls == callsFailed {
		return fmt.Sprintf("p%s latency of %s, failed calls", text.Decimal(x.Quantile*100), x.Of)
	}
	return fmt.Sprintf("p%s latency of %s", text.Decimal(x.Quantile*100), x.Of)
}

func (x latency) Load() string { return x.Of }

func (x latency) DefaultHold() time.Duration { return DefaultHold }

func (x latency) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: "<=", Limit: report.Value{Number: millis(x.AtMost)}, Unit: "ms", Since: e.Started[x.Of]}
	r, why := e.load(x.Of)
	if why != "" {
		return f.Unknown(why)
	}
	h, most, what := r.Latency, r.OK, "answered"
	if x.Calls == callsFailed {
		h, most, what = r.FailedLatency, r.Failed()-r.RefusedLocally(), "failed"
	}
	if h == nil || h.TotalCount() == 0 {
		return f.Unknown("no call " + what)
	}
	if h.TotalCount() > most {
		const mixed = "the load generator does not separate answered calls from failed ones: %d latencies of %d calls"
		return f.Unknown(fmt.Sprintf(mixed, h.TotalCount(), most))
	}
	if few := e.tooFew(h.TotalCount(), what); few != "" {
		return f.Unknown(few)
	}
	got := time.Duration(h.ValueAtQuantile(x.Quantile*100)) * time.Microsecond
	f.Observed.Number = millis(got)
	return f.Judge(got <= x.AtMost)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
