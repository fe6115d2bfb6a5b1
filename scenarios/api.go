package scenarios

import (
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// The cluster that a scenario runs against; see package target.
type (
	Target        = target.Target
	Loads         = target.Loads
	Workloads     = target.Workloads
	Breakers      = target.Breakers
	BreakerChange = target.BreakerChange
	LoadSpec      = target.LoadSpec
	LoadReading   = target.LoadReading
	FailurePeriod = target.FailurePeriod
	Call          = target.Call
	Rate          = target.Rate
	Share         = target.Share
)

// The rates that the load generator accepts.
const (
	MinRate = target.MinRate
	MaxRate = target.MaxRate
)

// The errors by which Loads says that a name is free or taken.
var (
	ErrNoLoad    = target.ErrNoLoad
	ErrLoadTaken = target.ErrLoadTaken
)

// Clock is the source of time of a run.
type Clock = clock.Clock

// ParseRate reads a rate per second or per minute, such as "200/s" or "90/m".
func ParseRate(s string) (Rate, error) { return target.ParseRate(s) }
