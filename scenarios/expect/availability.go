package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// The sides on which availability can be measured.
const (
	sideCallers = "callers"
	sideCallee  = "callee"
)

type availability struct {
	Of string
	bound
	// Side is sideCallers or sideCallee. Empty means sideCallers.
	Side string
}

func availabilityKind() grammar.Kind[Expectation] {
	return grammar.Kind[Expectation]{
		Name: "availability",
		Doc:  "The share of finished calls that were answered without an error. Arrivals that were not sent do not count. Give one of atLeast and atMost.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "the load"),
			grammar.Optional("atLeast", "percentage", "99.5%", "the lowest share that meets it"),
			grammar.Optional("atMost", "percentage", "50%", "instead of atLeast, the highest share that meets it: the callers must notice"),
			grammar.Optional("side", "callers or callee", "callee",
				"callers (the default) counts a call that the caller's own breaker or limit refused as failed; callee omits those calls"),
		},
		Decode: func(o grammar.Object) Expectation {
			x := availability{Of: o.Refer("of", grammar.LoadRef), Side: o.OneOf("side", sideCallers, sideCallee)}
			x.bound = readBound(o, "99.5%", func(name string) float64 {
				if name == "atMost" {
					return o.PercentageBelowAll(name).Percent()
				}
				return o.Percentage(name).Percent()
			})
			return x
		},
	}
}

func (x availability) String() string {
	if x.Side == sideCallee {
		return "availability of " + x.Of + ", callee side"
	}
	return "availability of " + x.Of
}

func (x availability) Load() string { return x.Of }

func (x availability) DefaultHold() time.Duration { return DefaultHold }

func (x availability) Check(e Evidence) report.Finding {
	f := report.Finding{Name: x.String(), Unit: "%", Since: e.Started[x.Of]}
	f.Comparison, f.Limit = x.limit()
	r, why := e.load(x.Of)
	if why != "" {
		return f.Unknown(why)
	}
	finished, failed := r.Finished(), r.Failed()
	if x.Side == sideCallee {
		finished, failed = finished-r.RefusedLocally(), failed-r.RefusedLocally()
	}
	if few := e.tooFew(finished, "finished"); few != "" {
		return f.Unknown(few)
	}
	got, known := target.Share(0), r.Sent > 0 && x.Side != sideCallee
	if finished > 0 {
		got, known = target.Share(float64(r.OK)/float64(finished)), true
	}
	if !known {
		return f.Unknown("no call was sent")
	}
	f.Observed.Number = x.round(got.Percent())
	f.Note = fmt.Sprintf("%d of %d calls failed", failed, finished)
	if refused := r.RefusedLocally(); refused > 0 && x.Side != sideCallee {
		f.Note += fmt.Sprintf(", %d of those refused by the caller itself", refused)
	}
	return f.Judge(x.meets(got.Percent()))
}
