package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// AbortRule is a limit whose breach stops the run at once; trips is pure in the reading.
type AbortRule interface {
	String() string
	load() string
	window() time.Duration
	// trips judges what the load did over one full window.
	trips(over LoadReading) (observed string, tripped bool)
}

// AbortRuleKind is an entry of the catalog of limits.
type AbortRuleKind struct {
	Name   string
	Doc    string
	Fields []Field
	decode func(object) AbortRule
}

// AbortRules lists every limit a scenario can set.
func AbortRules() []AbortRuleKind { return []AbortRuleKind{abortAvailabilityKind()} }

type abortAvailability struct {
	Of    string
	Below Share
	For   time.Duration
}

func abortAvailabilityKind() AbortRuleKind {
	return AbortRuleKind{
		Name: "availability",
		Doc:  "Stops the run when a load's availability over the last `for` is below the limit; judged every 250 ms once a full window has passed.",
		Fields: []Field{
			{"of", "load", true, "browse", "whose calls"},
			{"below", "percentage", true, "50%", "the limit"},
			{"for", "duration", true, "10s", "the length of the sliding window"},
		},
		decode: func(o object) AbortRule {
			return abortAvailability{o.refer("of", aLoad), o.share("below"), o.span("for")}
		},
	}
}

func (a abortAvailability) String() string {
	return fmt.Sprintf("availability of %s below %s for %s", a.Of, a.Below, a.For)
}

func (a abortAvailability) load() string { return a.Of }

func (a abortAvailability) window() time.Duration { return a.For }

func (a abortAvailability) trips(over LoadReading) (string, bool) {
	got, known := over.Availability()
	if over.OK == 0 && over.Intended > 0 && over.Sent == 0 {
		known = true // a load that is held up altogether must not get past its limit
	}
	return text.Decimal(text.RoundDown(got.Percent())) + "%", known && got < a.Below
}
