package target

import "context"

// The kinds of objects that the control plane enforces.
const (
	TrafficPolicy = "TrafficPolicy"
	Fault         = "Fault"
)

// Object is an object of the control plane, of kind TrafficPolicy or Fault. Spec is its specification in JSON.
type Object struct{ Kind, Name, Spec string }

// Objects reads and changes the objects of the control plane.
type Objects interface {
	// Put creates or replaces an object, and waits until every process that it concerns enforces it. It fails if one cannot. The lease of a fault is
	// renewed until the fault is deleted or this program ends.
	Put(ctx context.Context, o Object) error
	// Get returns an object. ok is false if there is none.
	Get(ctx context.Context, kind, name string) (o Object, ok bool, err error)
	// Delete deletes an object and waits until no process enforces it. An object that does not exist is no error.
	Delete(ctx context.Context, kind, name string) error
}
