package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type sent struct {
	Of      string
	AtLeast target.Share
}

func sentKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "sent",
		Doc: "The share of intended arrivals that were sent. If it is too low, the load generator was the bottleneck. " +
			"Below 99 %, every other expectation about the load is unknown.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "the load"),
			grammar.Required("atLeast", "percentage", "99%", "the lowest share that meets it"),
		},
		Decode: func(o grammar.Object) Expectation {
			return sent{o.Refer("of", grammar.LoadRef), o.Percentage("atLeast")}
		},
	}
}

func (x sent) String() string { return "sent of " + x.Of }

func (x sent) Load() string { return x.Of }

func (x sent) DefaultHold() time.Duration { return DefaultHold }

func (x sent) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Comparison: ">=", Limit: report.Value{Number: x.AtLeast.Percent()}, Unit: "%", Since: e.Started[x.Of]}
	if why := e.Unread[x.Of]; why != "" {
		return f.Unknown(why)
	}
	r := e.Loads[x.Of]
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
