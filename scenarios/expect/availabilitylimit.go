package expect

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type availabilityLimit struct {
	Of    string
	Below target.Share
	For   time.Duration
}

func availabilityLimitKind() grammar.Kind[Limit] {
	return grammar.Kind[Limit]{
		Name: "availability",
		Doc:  "Stops the run when a load's availability over the last `for` is below the limit; judged every 250 ms once a full window has passed.",
		Fields: []grammar.Field{
			grammar.Required("of", "load", "browse", "the load"),
			grammar.Required("below", "percentage", "50%", "the limit"),
			grammar.Required("for", "duration", "10s", "the length of the sliding window"),
		},
		Decode: func(o grammar.Object) Limit {
			return availabilityLimit{o.Refer("of", grammar.LoadRef), o.Percentage("below"), o.PositiveDuration("for")}
		},
	}
}

func (l availabilityLimit) String() string {
	return fmt.Sprintf("availability of %s below %s for %s", l.Of, l.Below, l.For)
}

func (l availabilityLimit) Load() string { return l.Of }

func (l availabilityLimit) Window() time.Duration { return l.For }

func (l availabilityLimit) Exceeded(over target.LoadReading) (string, bool) {
	got, known := over.Availability()
	if over.OK == 0 && over.Intended > 0 && over.Sent == 0 {
		// A load whose arrivals are all held up has an availability of 0.
		known = true
	}
	return text.Decimal(text.RoundDown(got.Percent())) + "%", known && got < l.Below
}
