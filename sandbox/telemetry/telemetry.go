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
	// Caller and Callee are names of services. Method has the form package.Service/Method.
	Caller, Callee, Method string
	// Rate is the number of finished calls per second.
	Rate float64
	// Errors is the share of those calls that failed on the way or at the callee, from 0 to 1.
	Errors float64
	// Refused is the share of those calls that the caller's own breaker or limit on calls in flight refused. Errors does not include them.
	Refused float64
	// P50 and P99 are the 50 % and 99 % quantiles of the duration of the calls.
	P50, P99 time.Duration
}

// Breaker is one circuit breaker inside one caller.
type Breaker struct {
	// Caller and Callee are names of services. Method has the form package.Service/Method.
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
	Phase string
	// Ready is false for a pod that is being deleted. Restarts is the sum over its containers. Started is when the pod was created.
	Ready    bool
	Restarts int32
	Started  time.Time
}

// Event is something that happened, as opposed to something sampled.
type Event struct {
	// Seq counts the events of one source, without gaps.
	Seq uint64
	// At is when it happened.
	At time.Time
	// Kind is breaker, step, phase, load or pod.
	Kind string
	// Subject is what the event is about, Detail what happened, both for people.
	Subject string
	Detail  string
}

// Killed is the result of a run whose process ended before the run did. Its phase is the last one.
const Killed = "killed"

// Run is the scenario that is running, or the last one that did.
type Run struct {
	// Scenario is the name of the scenario.
	Scenario string
	// Phase is plan, steady, steps, recover, verdict, cleanup or done.
	Phase string
	// Result is empty until it is known.
	Result string
	// Started is when the run started.
	Started time.Time
	// PID is the process that runs the scenario, or 0 if not known.
	PID int
	// Timeline has the events of the run in the order in which they arrived.
	Timeline []Event
}
