package traffic

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// Applier puts policies in force.
type Applier interface {
	Subscribers
	// ApplyPolicy creates a policy or replaces its specification, and returns what that changed.
	ApplyPolicy(ctx context.Context, p api.TrafficPolicy) (change string, err error)
	// AwaitPolicy waits until every process that a policy concerns enforces it. It fails if one cannot.
	AwaitPolicy(ctx context.Context, name string) error
}

// Applied is a policy that was applied.
type Applied struct {
	// Name is the name of the policy.
	Name string `json:"name"`
	// Change is created, changed or unchanged.
	Change string `json:"change"`
	// InForce is true if every process that the policy concerns enforces it, and false if that was not waited for.
	InForce bool `json:"inForce"`
	// Seconds is the time from the start of Apply until the policy was in force; 0 if that was not waited for.
	Seconds float64 `json:"seconds"`
	// Processes are those that the policy concerns, by service and pod; empty unless InForce.
	Processes []Process `json:"processes"`
}

// Apply applies the policies of a file, and then waits until all of them are in force, unless noWait is set. It returns what it has done also
// together with an error.
func Apply(ctx context.Context, to Applier, docs []Document, noWait bool) ([]Applied, error) {
	started := time.Now()
	all := []Applied{}
	for _, d := range docs {
		object, err := d.Object()
		if err != nil {
			return all, err
		}
		change, err := to.ApplyPolicy(ctx, object)
		if err != nil {
			return all, err
		}
		all = append(all, Applied{Name: d.Name, Change: change, Processes: []Process{}})
	}
	if noWait {
		return all, nil
	}
	for i := range all {
		one := &all[i]
		if err := to.AwaitPolicy(ctx, one.Name); err != nil {
			return all, &NotInForceError{one.Name, err}
		}
		one.InForce, one.Seconds = true, time.Since(started).Seconds()
		subscribers, err := to.Subscribers(ctx, compile.KindTrafficPolicy, one.Name)
		if err != nil {
			return all, err
		}
		one.Processes = processesOf(subscribers)
	}
	return all, nil
}

// NotInForceError is the error for a policy that was applied and that is not enforced by every process that it concerns.
type NotInForceError struct {
	// Name is the name of the policy.
	Name string
	err  error
}

// Error names the policy, and says why it is not in force.
func (e *NotInForceError) Error() string {
	return fmt.Sprintf("policy %s is applied, but not in force: %s", e.Name, e.err)
}

// Unwrap returns why the policy is not in force.
func (e *NotInForceError) Unwrap() error { return e.err }
