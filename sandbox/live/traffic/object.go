// Package traffic is what the command line does with the objects of the control plane, TrafficPolicy and Fault: it reads them from files, compares
// them with those of a cluster, puts them in force, explains where each effective value comes from, and reports which process enforces it.
//
// It reaches the cluster through interfaces, which package live implements.
package traffic

import (
	"context"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// Subscribers returns the processes that receive configuration, and what each does with an object.
type Subscribers interface {
	// Subscribers returns every process that receives configuration. The verdicts are about the object with this kind and name.
	Subscribers(ctx context.Context, kind, name string) ([]*controlv1.Subscriber, error)
}
