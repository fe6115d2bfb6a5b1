// Package telemetry holds the words that producers and viewers of measurements share.
package telemetry

import "time"

// BreakerState is a circuit breaker's state in the field's three words.
type BreakerState string

// The states of a circuit breaker.
const (
	Closed   BreakerState = "closed"
	Open     BreakerState = "open"
	HalfOpen BreakerState = "half-open"
)

// Edge is one method as one caller sees it.
type Edge struct {
	Caller, Callee, Method string
	Rate                   float64 // finished calls per second
	Errors                 float64 // share of those calls that failed on the way or at the callee, 0 to 1
	Refused                float64 // share of those calls that the caller's own breaker or limit on calls in flight refused; not among Errors
	P50, P99               time.Duration
}

// Breaker is one circuit breaker inside one caller.
type Breaker struct {
	Caller, Callee, Method string
	State                  BreakerState
	Since                  time.Time // when it entered State; zero when not known
	Reason                 string    // why it entered State; empty in the first closed state
}

// Pod is one pod of a release.
type Pod struct {
	Name, Release string
	Namespace     string
	Phase         string // Kubernetes' phase, or the waiting container's reason
	Ready         bool
	Restarts      int32
	Started       time.Time
}

// Event is something that happened, never something sampled.
type Event struct {
	Seq     uint64 // per source, without gaps
	At      time.Time
	Kind    string // breaker, step, phase, load, pod
	Subject string
	Detail  string
}

// Killed is the result of a run whose process ended before the run did. Its phase is the one it was in.
const Killed = "killed"

// Run is the scenario that is running, or the last one that did.
type Run struct {
	Scenario string
	Phase    string // plan, steady, steps, recover, verdict, cleanup, done
	Result   string // empty until it is known
	Started  time.Time
	PID      int // of the process that runs it; 0 when not known
	Timeline []Event
}
