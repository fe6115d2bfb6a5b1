// Package target is the cluster as a scenario sees it: loads that can be started and read, pods that can be counted, killed and scaled, circuit
// breakers and metrics that can be observed, objects of the control plane, partners that can be revoked, and certificates that can be renewed. A
// program that runs scenarios implements the interfaces of [Target].
package target

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Generator is the workload that sends every load. A load from PartnerPrefix and a name is sent through Gateway, as a partner of that name.
const (
	Generator     = "loadgen"
	Gateway       = "gateway"
	PartnerPrefix = "partner/"
)

// The names of the loads that the generator runs by itself.
const (
	Background       = "background"
	BackgroundOrders = "background-orders"
)

// IsBackground reports whether a load of this name belongs to the generator.
func IsBackground(name string) bool { return name == Background || name == BackgroundOrders }

// MaxPods is the number of pods on a node of Kubernetes in its default configuration.
const MaxPods = 110

// ErrNoLoad is wrapped by the errors of SetRate, Read and Stop if no load of that name is running.
var ErrNoLoad = errors.New("no such load is running")

// ErrLoadTaken is wrapped by the error of Start if a load of that name is already running.
var ErrLoadTaken = errors.New("a load of this name is running")

// Target is everything that a scenario can do to the cluster. Its parts are called from several goroutines.
type Target struct {
	// Loads are those of the generator, Workloads the pods of the releases.
	Loads     Loads
	Workloads Workloads
	// Breakers are those of the services, Objects those of the control plane, and Partners those of the gateway.
	Breakers Breakers
	Objects  Objects
	Partners Partners
	// Certificates are those of the workloads.
	Certificates Certificates
	// Metrics may be nil. Expectations about metrics are then unknown.
	Metrics Metrics
}

// Metrics answers queries in PromQL.
type Metrics interface {
	// Value returns the one number that a query yields now. Its error wraps [telemetry.ErrBadQuery] if the query itself is wrong.
	Value(ctx context.Context, query string) (float64, error)
}

// Loads starts and reads open-model loads. A load is a name, a method and a rate; arrivals do not wait for answers.
type Loads interface {
	// Start starts a load. Its error is ErrLoadTaken if the name is taken.
	Start(ctx context.Context, load LoadSpec) error
	// SetRate changes the rate of a load from now on.
	SetRate(ctx context.Context, name string, rate Rate) error
	// Read returns what a load has done since it started. Its error is ErrNoLoad if it is not running.
	Read(ctx context.Context, name string) (LoadReading, error)
	// Stop waits for the calls in flight and returns the last reading.
	Stop(ctx context.Context, name string) (LoadReading, error)
}

// Workloads reads and changes the pods of releases.
type Workloads interface {
	// Pods lists the pods of a release. A pod that is being deleted is not Ready.
	Pods(ctx context.Context, release string) ([]telemetry.Pod, error)
	// Kill deletes a pod, which gets the grace period to finish its calls.
	Kill(ctx context.Context, pod string, grace time.Duration) error
	// Replicas returns the number of pods that the release wants, not the number that it has.
	Replicas(ctx context.Context, release string) (int, error)
	// Scale sets the number of pods that a release wants.
	Scale(ctx context.Context, release string, replicas int) error
}

// Breakers reports the state of circuit breakers and every change of it.
type Breakers interface {
	// Breakers returns the present states.
	Breakers(ctx context.Context) ([]telemetry.Breaker, error)
	// Events sends the changes with sequence numbers greater than after, until ctx ends. If after is 0, it sends the changes since the given time.
	// A closed channel means that the connection was lost; the caller then calls Events again.
	Events(ctx context.Context, since time.Time, after uint64) (<-chan BreakerChange, error)
}

// BreakerChange is one state change of one circuit breaker.
type BreakerChange struct {
	// Seq counts from 1 in each boot.
	Seq uint64
	// Boot changes when the process that reports restarts.
	Boot string
	// Missed means that earlier changes were lost. Of the other fields, only Seq and Boot are then set.
	Missed bool
	// At is when the breaker changed, by the clock of its process.
	At time.Time
	// From is the caller and To the callee. Method has the form package.Service/Method.
	From, To, Method string
	// Pod is the pod of the caller; empty if it is not known.
	Pod string
	// Old and New are the states before and after the change, Reason is why it changed.
	Old, New telemetry.BreakerState
	Reason   string
}

// LoadSpec is one open-model load: arrivals do not wait for answers.
type LoadSpec struct {
	// Name identifies the load; no two loads of one name can run.
	Name string
	// From is [Generator], or [PartnerPrefix] and the name of a partner.
	From string
	// Call is made by each arrival, Rate is how many arrive. Seed determines what the templates of the request yield.
	Call Call
	Rate Rate
	Seed uint64
}

var partnerName = regexp.MustCompile(`^[a-z0-9-]{1,36}$`)

// Partner returns the name of the partner that sends the load; empty for a load from inside the cluster.
func (l LoadSpec) Partner() string {
	if name, found := strings.CutPrefix(l.From, PartnerPrefix); found && partnerName.MatchString(name) {
		return name
	}
	return ""
}

// Call is the call that each arrival of a load makes.
type Call struct {
	// Service is the release that is called.
	Service string
	// Method has the form package.Service/Method.
	Method string
	// Request is JSON. Its strings may contain templates such as {{ n 1 1000 }}.
	Request string
}

// CountReady returns the number of pods that are ready.
func CountReady(pods []telemetry.Pod) int {
	n := 0
	for _, p := range pods {
		if p.Ready {
			n++
		}
	}
	return n
}
