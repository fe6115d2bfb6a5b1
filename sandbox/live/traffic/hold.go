package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// ErrNoObject is the error for an object that does not exist.
var ErrNoObject = errors.New("there is no such object")

// Injector injects faults and renews their leases.
type Injector interface {
	// AddFault creates a fault and returns when every process of its target injects it.
	AddFault(ctx context.Context, name string, spec json.RawMessage) error
	// Fault returns a fault. Its error is ErrNoObject if there is none.
	Fault(ctx context.Context, name string) (*api.Fault, error)
	// ClearFault deletes a fault and returns when no process injects it.
	ClearFault(ctx context.Context, name string) error
}

// NamedFault is a fault that is to be created.
type NamedFault struct {
	// Name is the name of the object, Spec its specification.
	Name string
	Spec *policyv1.FaultSpec
}

// Injection is a set of faults that are injected together and cleared together.
type Injection struct {
	// Faults are injected in this order.
	Faults []NamedFault
	// Limit is how long; 0 means until the context ends.
	Limit time.Duration
	// Added receives the faults when every process injects them. Its error ends the injection.
	Added func([]FaultSummary) error
	// Cleared is called for each fault that was cleared.
	Cleared func(name string)
}

const (
	// faultStartLimit is how long the processes may take until they inject a fault, and faultEndLimit until they have ended it.
	faultStartLimit = 30 * time.Second
	faultEndLimit   = 30 * time.Second
	// faultAwayLimit is how long the API server may be away. The lease of a fault is renewed at the control plane, so it stays in force.
	faultAwayLimit = 30 * time.Second
	// faultCheck is how often Run looks whether the faults still exist.
	faultCheck = time.Second
)

// FaultEndedError is the error for a fault that has ended before its time, for example because its lease was lost. Reason is that of its status.
type FaultEndedError struct{ Name, Reason string }

// Error returns the name of the fault and why it has ended.
func (e *FaultEndedError) Error() string {
	return fmt.Sprintf("fault %s has ended: %s", e.Name, e.Reason)
}

// Run injects the faults until ctx or their time ends, or until all of them are cleared, and clears them. It fails with a [*FaultEndedError] if one
// ends before its time.
func (i Injection) Run(ctx context.Context, c Injector) (err error) {
	var added []NamedFault
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), faultEndLimit)
		defer cancel()
		for _, f := range added {
			if cerr := c.ClearFault(clean, f.Name); cerr != nil {
				err = errors.Join(err, remedy.Wrap(cerr, remedy.Command("fault", "clear", f.Name)))
				continue
			}
			i.Cleared(f.Name)
		}
	}()
	all := []FaultSummary{}
	for _, f := range i.Faults {
		one, err := startFault(ctx, c, f)
		if err != nil {
			return err
		}
		added = append(added, f)
		all = append(all, one)
	}
	if err := i.Added(all); err != nil {
		return err
	}
	return holdFaults(ctx, c, added, i.Limit)
}

func startFault(ctx context.Context, c Injector, f NamedFault) (FaultSummary, error) {
	spec, err := Spec(f.Spec)
	if err != nil {
		return FaultSummary{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, faultStartLimit)
	defer cancel()
	if err := c.AddFault(ctx, f.Name, spec); err != nil {
		return FaultSummary{}, err
	}
	object, err := c.Fault(ctx, f.Name)
	if err != nil {
		return FaultSummary{}, err
	}
	return SummarizeFault(*object), nil
}

// holdFaults waits until ctx ends, the time is over, or every fault has ended. It fails if one has ended before its time.
func holdFaults(ctx context.Context, c Injector, faults []NamedFault, limit time.Duration) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	answered := time.Now()
	err := pause.Until(ctx, faultCheck, func(ctx context.Context) (bool, error) {
		left := 0
		for _, f := range faults {
			ended, err := hasEnded(ctx, c, f)
			var away *awayError
			switch {
			case errors.As(err, &away) && time.Since(answered) < faultAwayLimit:
				left++
				continue
			case errors.As(err, &away):
				return false, remedy.Errorf(remedy.Command("status"), "the cluster has not answered for %s: %w", faultAwayLimit, away.err)
			case err != nil:
				return false, err
			}
			answered = time.Now()
			if !ended {
				left++
			}
		}
		return left == 0, nil
	})
	if errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// awayError is the error for an API server that does not answer.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }

// hasEnded reports whether a fault was cleared, or its duration is over. It fails if the fault has ended for another reason, or with an *awayError.
func hasEnded(ctx context.Context, c Injector, f NamedFault) (bool, error) {
	object, err := c.Fault(ctx, f.Name)
	switch {
	case errors.Is(err, ErrNoObject):
		return true, nil
	case err != nil:
		return false, &awayError{err}
	case object.Status.Phase != api.FaultEnded:
		return false, nil
	case f.Spec.GetDuration() == nil && object.DeletionTimestamp == nil:
		return false, &FaultEndedError{f.Name, object.Status.Reason}
	}
	return true, nil
}
