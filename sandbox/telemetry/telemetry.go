// Package telemetry contains the types that producers and viewers of measurements share.
package telemetry

import (
	"errors"
	"time"
)

// ErrBadQuery is wrapped by the errors of a query of metrics that can never yield one number.
var ErrBadQuery = errors.New("the query is wrong")

// BreakerState is the state of a circuit breaker: closed, half-open or open.
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
	// Rate is the number of finished calls per second.
	Rate float64
	// Errors is the share of those calls that failed on the way or at the callee, from 0 to 1.
	Errors float64
	// Refused is the share of those calls that the caller's own breaker or limit on calls in flight refused. Errors does not include them.
	Refused  float64
	P50, P99 time.Duration
}

// Breaker is one circuit breaker inside one caller.
type Breaker struct {
	Caller, Callee, Method string
	// Pod is the pod of the caller; empty if it is not known.
	Pod   string
	State BreakerState
	// Since is when the breaker entered State, or zero if that is not known.
	Since time.Time
	// Reason is why the breaker entered State. It is empty for the initial closed state.
	Reason string
}

// Pod is one pod of a release.
type Pod struct {
	Name, Release string
	Namespace     string
	// Phase is the phase that Kubernetes reports, or the reason of a waiting container.
	Phase    string
	Ready    bool
	Restarts int32
	Started  time.Time
}

// Event is something that happened, as opposed to something sampled.
type Event struct {
	// Seq counts the events of one source, without gaps.
	Seq uint64
	At  time.Time
	// Kind is breaker, step, phase, load or pod.
	Kind    string
	Subject string
	Detail  string
}

// Killed is the result of a run whose process ended before the run did. Its phase is the last one.
const Killed = "killed"

// Run is the scenario that is running, or the last one that did.
type Run struct {
	Scenario string
	// Phase is plan, steady, steps, recover, verdict, cleanup or done.
	Phase string
	// Result is empty until it is known.
	Result  string
	Started time.Time
	// PID is the process that runs the scenario, or 0 if not known.
	PID      int
	Timeline []Event
}
