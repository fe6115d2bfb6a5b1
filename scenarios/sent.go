package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type sent struct {
	Of      string
	AtLeast Share
}

func sentKind() ExpectationKind {
	return ExpectationKind{
		Name: "sent",
		Doc:  "The share of intended arrivals that left: below it the load generator was the bottleneck. Below 99 % every other expectation about the load is unknown.",
		Fields: []Field{
			{"of", "load", true, "browse", "whose arrivals"},
			{"atLeast", "percentage", true, "99%", "the least that satisfies it"},
		},
		decode: func(o object) Expectation { return sent{o.refer("of", aLoad), o.share("atLeast")} },
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
