package scenarios

import (
	"context"
	"errors"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// ErrNoLoad is what SetRate, Read and Stop wrap when no load of that name runs.
var ErrNoLoad = errors.New("no such load is running")

// ErrLoadTaken is what Start wraps when a load of that name runs already.
var ErrLoadTaken = errors.New("a load of this name is running")

// Loads starts and reads open-model loads.
type Loads interface {
	Start(ctx context.Context, load LoadSpec) error
	SetRate(ctx context.Context, name string, rate Rate) error
	Read(ctx context.Context, name string) (LoadReading, error)
	// Stop waits for the calls in flight and returns the last reading.
	Stop(ctx context.Context, name string) (LoadReading, error)
}

// Workloads reads and changes the pods of releases.
type Workloads interface {
	// Pods lists the pods of a release; a pod that is being deleted is not Ready.
	Pods(ctx context.Context, release string) ([]telemetry.Pod, error)
	Kill(ctx context.Context, pod string, grace time.Duration) error
	// Replicas is how many are wanted, not how many there are.
	Replicas(ctx context.Context, release string) (int, error)
	Scale(ctx context.Context, release string, replicas int) error
}

// Breakers tells the state of circuit breakers, and every change of it.
type Breakers interface {
	Breakers(ctx context.Context) ([]telemetry.Breaker, error)
	// Events sends the changes after sequence number after until ctx ends; 0 means those since a moment.
	// A closed channel is taken for a lost connection, and Events is called again.
	Events(ctx context.Context, since time.Time, after uint64) (<-chan BreakerChange, error)
}

// BreakerChange is one change of one circuit breaker's state.
type BreakerChange struct {
	Seq              uint64 // counts from 1 in each boot
	Boot             string
	Missed           bool // changes before this were lost; nothing else is set
	At               time.Time
	From, To, Method string // caller, callee, package.Service/Method
	Old, New         telemetry.BreakerState
	Reason           string
}

// Target is what a scenario may do to the world. Its parts are called from several goroutines.
type Target struct {
	Loads     Loads
	Workloads Workloads
	Breakers  Breakers
}
