package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type sent struct {
	Of      string
	AtLeast Share
}

func sentKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "sent",
		Doc:  "The share of intended arrivals that left: below it the load generator was the bottleneck. Below 99 % every other expectation about the load is unknown.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "whose arrivals"),
			grammar.Required("atLeast", "percentage", "99%", "the least that satisfies it"),
		},
		Decode: func(o grammar.Object) Expectation { return sent{o.Refer("of", aLoad), o.Percentage("atLeast")} },
	}
}

func (x sent) String() string { return "sent of " + x.Of }

func (x sent) window() time.Duration { return defaultHold }

func (x sent) check(e evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: ">=", Limit: report.Value{Number: x.AtLeast.Percent()}, Unit: "%", Since: e.began[x.Of]}
	if why := e.unread[x.Of]; why != "" {
		return f.Unknown(why)
	}
	r := e.loads[x.Of]
	got, known := r.SentShare()
	if !known {
		return f.Unknown("no call was due")
	}
	if few := e.tooFew(r.Intended, "due"); few != "" {
		return f.Unknown(few)
	}
	f.Observed.Number = text.RoundDown(got.Percent())
	f.Note = fmt.Sprintf("%d of %d sent", r.Sent, r.Intended)
	return f.Judge(got.Percent() >= x.AtLeast.Percent())
}
