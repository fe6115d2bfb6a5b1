package expect

import (
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Limit stops the run as soon as it is exceeded.
type Limit interface {
	// String describes the limit, such as "availability of browse below 50% for 10s".
	String() string
	// Load returns the name of the load that the limit is about.
	Load() string
	// Window returns the length of the sliding window. Its field is called for.
	Window() time.Duration
	// Exceeded judges what the load did over one full window. It must have no side effects.
	Exceeded(over target.LoadReading) (observed string, exceeded bool)
}

// Limits lists every kind of limit.
func Limits() []grammar.Kind[Limit] { return []grammar.Kind[Limit]{availabilityLimitKind()} }
