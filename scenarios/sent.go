package scenarios

import "fmt"

type sent struct {
	Of      string
	AtLeast Share
}

func sentKind() ExpectationKind {
	return ExpectationKind{
		Name: "sent",
		Doc:  "The share of intended arrivals that left: below it the load generator was the bottleneck, and the other numbers flatter.",
		Fields: []Field{
			{"of", "load", true, "browse", "whose arrivals"},
			{"atLeast", "percentage", true, "99%", "the least that holds"},
		},
		decode: func(o object) Expectation { return sent{o.refer("of", aLoad), o.share("atLeast")} },
	}
}

func (x sent) String() string { return "sent of " + x.Of }

func (x sent) check(e evidence) Finding {
	f := Finding{Name: x.String(), Comparison: ">=", Limit: Value{Number: x.AtLeast.percent()}, Unit: "%"}
	r := e.loads[x.Of]
	if r.Intended <= 0 {
		return f.unknown("no call was due")
	}
	got := Share(float64(r.Sent) / float64(r.Intended))
	f.Observed.Number = cut(got.percent())
	f.Note = fmt.Sprintf("%d of %d sent", r.Sent, r.Intended)
	return f.held(got.percent() >= x.AtLeast.percent())
}
