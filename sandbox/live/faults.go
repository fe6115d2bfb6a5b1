package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// Faults returns the faults of the shop in the order of their names.
func (c *Cluster) Faults(ctx context.Context) ([]api.Fault, error) {
	return listObjects[api.Fault](ctx, c.objects(), target.Fault)
}

// Fault returns a fault of the shop. Its error is ErrNoObject if there is none.
func (c *Cluster) Fault(ctx context.Context, name string) (*api.Fault, error) {
	return getObject[api.Fault](ctx, c.objects(), target.Fault, name)
}

// AddFault creates a fault and waits until every process of its target injects it. Its lease is renewed until the fault is cleared or the cluster is
// closed. A fault that cannot be injected everywhere is cleared again.
func (c *Cluster) AddFault(ctx context.Context, name string, spec json.RawMessage) error {
	var fields map[string]any
	if err := json.Unmarshal(spec, &fields); err != nil {
		return fmt.Errorf("reading the specification of %s: %w", name, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": api.GroupVersion.String(), "kind": target.Fault, "spec": fields}}
	u.SetName(name)
	o := c.objects()
	_, err := o.resource(target.Fault).Create(ctx, u, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		return remedy.Errorf(remedy.Command("fault", "clear", name), "there is a fault %s already", name)
	}
	if err != nil {
		return withUp(fmt.Errorf("creating fault %s: %w", name, err))
	}
	if seconds, ok, _ := unstructured.NestedFieldNoCopy(fields, "leaseSeconds"); ok && seconds != float64(0) {
		o.keep(name)
	}
	if err := o.await(ctx, target.Fault, name); err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearLimit)
		defer cancel()
		return errors.Join(err, c.ClearFault(clean, name))
	}
	return nil
}

// clearLimit is how long AddFault may take to clear a fault that failed: longer than its lease, so that it ends in any case.
const clearLimit = 2 * rpcLimit

// ClearFault deletes a fault and waits until no process injects it.
func (c *Cluster) ClearFault(ctx context.Context, name string) error {
	return c.objects().Delete(ctx, target.Fault, name)
}
