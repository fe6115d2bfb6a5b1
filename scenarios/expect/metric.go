package expect

import (
	"fmt"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// windowVariable stands for the length of the window in a query.
const windowVariable = "$window"

type metric struct {
	Query, Name, Unit string
	bound
}

func metricKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "metric",
		Doc: "The number that a PromQL query yields at the end of the window. `" + windowVariable + "` in the query stands for the length of the window, such as `10s`. " +
			"Give one of atLeast and atMost.",
		Fields: []grammar.Field{
			grammar.Required("query", "text", "'max_over_time(sum(go_goroutines)[$window:1s])'", "the query; it must yield one number"),
			grammar.Optional("atLeast", "number", "100", "the lowest number that meets it"),
			grammar.Optional("atMost", "number", "500", "instead of atLeast, the highest number that meets it"),
			grammar.Optional("name", "text", "goroutines of orderservice", "what the report calls it; default the query"),
			grammar.Optional("unit", "text", "goroutines", "the unit in the report; default none"),
		},
		Decode: func(o grammar.Object) Expectation {
			return metric{o.Text("query"), o.Text("name"), o.Text("unit"), readBound(o, "100", o.Number)}
		},
	}
}

func (x metric) String() string {
	if x.Name != "" {
		return x.Name
	}
	return x.Query
}

func (x metric) QueryOver(window time.Duration) string {
	seconds := max(1, int64((window+time.Second-1)/time.Second))
	return strings.ReplaceAll(x.Query, windowVariable, fmt.Sprintf("%ds", seconds))
}

func (x metric) DefaultHold() time.Duration { return DefaultHold }

func (x metric) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Unit: x.Unit}
	f.Comparison, f.Limit = x.limit()
	if e.Value == nil {
		return f.Unknown("there is no Prometheus")
	}
	got, started, err := e.Value(x)
	if err != nil {
		return f.Unknown(err.Error())
	}
	f.Observed.Number, f.Since = x.round(got), started
	return f.Judge(x.meets(got))
}
