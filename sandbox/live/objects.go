package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// objects implements scenarios.Objects with the objects of the control plane in the shop.
type objects struct {
	kube *kube.Client
	// keep renews the lease of a fault until drop is called with its name.
	keep, drop func(fault string)
}

// compareInterval is how often the status of an object is read while something waits for it. The control plane writes it at most once a second.
const compareInterval = 100 * time.Millisecond

// resource returns the client of a kind of objects.
func (o objects) resource(kind string) dynamic.ResourceInterface {
	names := map[string]string{target.TrafficPolicy: "trafficpolicies", target.Fault: "faults"}
	return o.kube.Dynamic.Resource(api.GroupVersion.WithResource(names[kind])).Namespace(charts.ShopNamespace)
}

func (o objects) Put(ctx context.Context, object target.Object) error {
	if _, err := o.apply(ctx, object); err != nil {
		return err
	}
	return o.await(ctx, object.Kind, object.Name)
}

// apply creates or replaces an object. The lease of a fault is renewed from then on.
func (o objects) apply(ctx context.Context, object target.Object) (*unstructured.Unstructured, error) {
	var spec any
	if err := json.Unmarshal([]byte(object.Spec), &spec); err != nil {
		return nil, fmt.Errorf("reading the specification of %s: %w", object.Name, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": api.GroupVersion.String(), "kind": object.Kind,
		"metadata": map[string]any{"name": object.Name}, "spec": spec}}
	made, err := o.resource(object.Kind).Create(ctx, u, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		patch, marshalErr := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
		if marshalErr != nil {
			return nil, marshalErr
		}
		made, err = o.resource(object.Kind).Patch(ctx, object.Name, "application/json-patch+json", patch, metav1.PatchOptions{FieldManager: fieldManager})
	}
	if err != nil {
		return nil, withUp(fmt.Errorf("applying %s %s: %w", object.Kind, object.Name, err))
	}
	if lease, ok, _ := unstructured.NestedNumberAsFloat64(made.Object, "spec", "leaseSeconds"); ok && lease > 0 {
		o.keep(object.Name)
	}
	return made, nil
}

// withUp adds the remedy for a cluster without our kinds of objects.
func withUp(err error) error {
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return remedy.Wrap(err, remedy.Command("up"))
	}
	return err
}

// settle is how long an object may have no target: its status may have been written before the control plane has compiled it.
const settle = 3 * time.Second

// await waits until every process that an object concerns enforces it.
func (o objects) await(ctx context.Context, kind, name string) error {
	why := "its status is not written yet"
	settled := time.Now().Add(settle)
	err := pause.Until(ctx, compareInterval, func(ctx context.Context) (bool, error) {
		u, err := o.resource(kind).Get(ctx, name, metav1.GetOptions{})
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			return false, fmt.Errorf("reading %s %s: %w", kind, name, err)
		}
		done, whyNot, err := inForce(kind, u)
		if none := (*noEffectError)(nil); errors.As(err, &none) && time.Now().Before(settled) {
			whyNot, err = none.Error(), nil
		}
		why = whyNot
		return done, err
	})
	if err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("waiting until every process enforces %s %s: %s: %w", kind, name, why, err)
	}
	return err
}

// noEffectError is the error for a policy that no process enforces and that may just be too new.
type noEffectError struct{ text string }

func (e *noEffectError) Error() string { return e.text }

// inForce reports whether an object is enforced everywhere, or why not (yet). It fails if waiting cannot help.
func inForce(kind string, u *unstructured.Unstructured) (done bool, why string, err error) {
	if kind == target.Fault {
		return faultInForce(u)
	}
	var p api.TrafficPolicy
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(withoutSpec(u), &p); err != nil {
		return false, "", fmt.Errorf("reading TrafficPolicy %s: %w", u.GetName(), err)
	}
	accepted, programmed := meta.FindStatusCondition(p.Status.Conditions, api.Accepted), meta.FindStatusCondition(p.Status.Conditions, api.Programmed)
	switch {
	case accepted == nil || programmed == nil || programmed.ObservedGeneration != u.GetGeneration():
		return false, "its status is not written yet", nil
	case accepted.Status != metav1.ConditionTrue:
		return false, "", remedy.Errorf(remedy.Advice("kubectl explain trafficpolicies.spec"), "the control plane does not accept TrafficPolicy %s: %s", u.GetName(), accepted.Message)
	case programmed.Status == metav1.ConditionTrue:
		return true, "", nil
	case programmed.Reason == "NoTarget" || programmed.Reason == "NoEffect":
		return false, "", &noEffectError{fmt.Sprintf("TrafficPolicy %s has no effect: %s", u.GetName(), programmed.Message)}
	case programmed.Reason == "Ignored" && len(p.Status.Exceptions) > 0:
		ignored := p.Status.Exceptions[0]
		for _, e := range p.Status.Exceptions {
			if e.Verdict == "Ignored" {
				ignored = e
				break
			}
		}
		where := ignored.Pod
		if ignored.Field != "" {
			// Without a field, the pod ignores all of it.
			where += ", " + ignored.Field
		}
		return false, "", &noEffectError{fmt.Sprintf("TrafficPolicy %s is not enforced: %s: %s", u.GetName(), where, ignored.Why)}
	case programmed.Reason == "Overridden":
		return false, "", fmt.Errorf("TrafficPolicy %s has no effect: policy %s applies instead", u.GetName(), p.Status.Conflicts[0].Winner)
	case programmed.Reason == "Rejected":
		return false, "", fmt.Errorf("%s rejected TrafficPolicy %s: %s", p.Status.Exceptions[0].Pod, u.GetName(), p.Status.Exceptions[0].Why)
	}
	return false, programmed.Message, nil
}

func faultInForce(u *unstructured.Unstructured) (done bool, why string, err error) {
	var f api.Fault
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(withoutSpec(u), &f); err != nil {
		return false, "", fmt.Errorf("reading Fault %s: %w", u.GetName(), err)
	}
	switch f.Status.Phase {
	case api.FaultActive:
		return true, "", nil
	case api.FaultRejected:
		message := ""
		if c := meta.FindStatusCondition(f.Status.Conditions, api.Accepted); c != nil {
			message = c.Message
		}
		return false, "", remedy.Errorf(remedy.Advice("kubectl explain faults.spec"), "the control plane does not accept Fault %s: %s", u.GetName(), message)
	case api.FaultEnded, api.FaultClearing:
		return false, "", fmt.Errorf("fault %s has ended: %s", u.GetName(), f.Status.Reason)
	case "":
		return false, "its status is not written yet", nil
	}
	for _, t := range f.Status.Targets {
		if t.State == "Rejected" {
			return false, "", fmt.Errorf("%s rejected Fault %s: %s", t.Pod, u.GetName(), t.Why)
		}
	}
	return false, fmt.Sprintf("%d of %d processes inject it", f.Status.Applied, f.Status.Total), nil
}

// withoutSpec returns what is needed of an object: its specification has a grammar of its own.
func withoutSpec(u *unstructured.Unstructured) map[string]any {
	return map[string]any{"metadata": u.Object["metadata"], "status": u.Object["status"]}
}

func (o objects) Get(ctx context.Context, kind, name string) (target.Object, bool, error) {
	u, err := o.resource(kind).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return target.Object{}, false, nil
	}
	if err != nil {
		return target.Object{}, false, withUp(fmt.Errorf("reading %s %s: %w", kind, name, err))
	}
	spec, err := json.Marshal(u.Object["spec"])
	return target.Object{Kind: kind, Name: name, Spec: string(spec)}, true, err
}

func (o objects) Delete(ctx context.Context, kind, name string) error {
	o.drop(name)
	if err := o.resource(kind).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("deleting %s %s: %w", kind, name, err)
	}
	// The finalizer of a fault keeps the object until no process injects it.
	err := pause.Until(ctx, compareInterval, func(ctx context.Context) (bool, error) {
		_, err := o.resource(kind).Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until no process enforces %s %s: %w", kind, name, err)
	}
	return nil
}
