package action

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Reversal undoes one change of the cluster. It is written to the journal as JSON before the change is made, so that it survives the process.
type Reversal interface {
	// Subject names the value that was changed, such as "replicas of userservice". Changes of one subject form a stack.
	Subject() string
	// Rebase returns the reversal of this change after the change below it in the stack has been undone: it ends at the value from before both.
	Rebase(below Reversal) Reversal
	// Restore restores the value from before the change. If another program has changed the value in between, its error is a [*ChangedError]. Restore is
	// idempotent.
	Restore(ctx context.Context, t target.Target) error
}

// The optional abilities of a reversal.
type (
	// OfRelease is a reversal of a change to the replicas of a release.
	OfRelease interface {
		// ChangedRelease returns the name of the release.
		ChangedRelease() string
	}
	// Residual is a reversal that can find what is left of its change.
	Residual interface {
		// Left describes what is left; it returns "" if there is nothing.
		Left(ctx context.Context, t target.Target) (string, error)
	}
	// OfField is a reversal of a change to a field of a Kubernetes object, such as "Deployment/userservice spec.replicas". Until it is undone, the field
	// differs from its manifest.
	OfField interface {
		// Field returns the kind and the name of the object, and the path of the field.
		Field() string
	}
)

// ChangedError means that a value is neither what the change made it nor what it was before. It is left alone.
type ChangedError struct {
	// Subject names the value, as Reversal.Subject does. Is is the present value and Set what the run had set; both are empty if Reported is true.
	Subject, Is, Set string
	// Reported is true if a later change of the same value was already reported as left alone.
	Reported bool
}

// Error says what the value is and what the run had set it to.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("left alone: %s is %s, and the run had set it to %s", e.Subject, e.Is, e.Set)
}

// ReversalOf reads a reversal of one type from a journal.
func ReversalOf[T Reversal](data json.RawMessage) (Reversal, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}
