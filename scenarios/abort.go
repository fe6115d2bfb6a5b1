package scenarios

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
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

// AbortRules lists every limit a scenario can set.
func AbortRules() []grammar.Kind[AbortRule] {
	return []grammar.Kind[AbortRule]{abortAvailabilityKind()}
}

type abortAvailability struct {
	Of    string
	Below Share
	For   time.Duration
}

func abortAvailabilityKind() grammar.Kind[AbortRule] {
	return grammar.Kind[AbortRule]{
		Name: "availability",
		Doc:  "Stops the run when a load's availability over the last `for` is below the limit; judged every 250 ms once a full window has passed.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "whose calls"),
			grammar.Required("below", "percentage", "50%", "the limit"),
			grammar.Required("for", "duration", "10s", "the length of the sliding window"),
		},
		Decode: func(o grammar.Object) AbortRule {
			return abortAvailability{o.Refer("of", aLoad), o.Percentage("below"), o.PositiveDuration("for")}
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
