package scenarios

import "fmt"

type availability struct {
	Of      string
	AtLeast Share
}

func availabilityKind() ExpectationKind {
	return ExpectationKind{
		Name: "availability",
		Doc:  "The share of finished calls that were answered without an error.",
		Fields: []Field{
			{"of", "load", true, "browse", "whose calls"},
			{"atLeast", "percentage", true, "99.5%", "the least that holds"},
		},
		decode: func(o object) Expectation { return availability{o.refer("of", aLoad), o.share("atLeast")} },
	}
}

func (x availability) String() string { return "availability of " + x.Of }

func (x availability) check(e evidence) Finding {
	f := Finding{Name: x.String(), Comparison: ">=", Limit: Value{Number: x.AtLeast.percent()}, Unit: "%"}
	got, known := e.loads[x.Of].Availability()
	if !known {
		return f.unknown("no call was sent")
	}
	f.Observed.Number = cut(got.percent())
	r := e.loads[x.Of]
	f.Note = fmt.Sprintf("%d of %d calls failed", r.Failed(), r.OK+r.Failed())
	return f.held(got.percent() >= x.AtLeast.percent())
}
