package operator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// writer writes the status of objects. It runs in the leader.
type writer struct {
	client client.Client
	plane  *control.Plane
	log    *slog.Logger
	// written is when the status of an object was written last, by uid.
	written map[string]time.Time
}

// No object is written more often than once per writeInterval. Everything is compared with the cluster at least every compareInterval, and at most every
// passInterval, because each acknowledgement is a change.
const (
	writeInterval   = time.Second
	compareInterval = 5 * time.Second
	passInterval    = 100 * time.Millisecond
)

// Start writes until ctx ends.
func (w writer) Start(ctx context.Context) error {
	next, pass := time.NewTimer(0), time.NewTicker(passInterval)
	defer next.Stop()
	defer pass.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.plane.Changed():
		case <-next.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pass.C:
		}
		wait := compareInterval
		if postponed := w.all(ctx); postponed {
			wait = writeInterval / 2
		}
		next.Reset(wait)
	}
}

// all writes the status of every object whose status has changed. It returns true if a change must wait.
func (w writer) all(ctx context.Context) (postponed bool) {
	var policies api.TrafficPolicyList
	var faults api.FaultList
	for _, list := range []client.ObjectList{&policies, &faults} {
		if err := w.client.List(ctx, list); err != nil {
			w.log.Warn("listing objects", "error", err)
			return true
		}
	}
	view := w.plane.View()
	for i := range policies.Items {
		p := &policies.Items[i]
		next := p.DeepCopy()
		spec, err := p.Decode()
		next.Status = view.PolicyStatus(compile.TrafficPolicy{Object: objectOf(compile.KindTrafficPolicy, p), Spec: spec}, err, p.Status)
		if !equality.Semantic.DeepEqual(p.Status, next.Status) {
			postponed = w.write(ctx, p, next) || postponed
		}
	}
	for i := range faults.Items {
		postponed = w.fault(ctx, view, &faults.Items[i]) || postponed
	}
	return postponed
}

// fault writes the status of a fault, keeps its finalizer until it is cleared everywhere, and deletes it when its lease has ended.
func (w writer) fault(ctx context.Context, view control.View, f *api.Fault) (postponed bool) {
	next := f.DeepCopy()
	spec, err := f.Decode()
	status, cleared := view.FaultStatus(compile.Fault{Object: objectOf(compile.KindFault, f), Spec: spec, Ended: f.DeletionTimestamp != nil}, err, f.Status)
	next.Status = status
	if !equality.Semantic.DeepEqual(f.Status, next.Status) {
		postponed = w.write(ctx, f, next)
	}
	switch {
	case f.DeletionTimestamp != nil && cleared:
		err = w.finalize(ctx, f, controllerutil.RemoveFinalizer)
	case f.DeletionTimestamp == nil && status.Phase != api.FaultEnded && status.Phase != api.FaultRejected:
		err = w.finalize(ctx, f, controllerutil.AddFinalizer)
	case f.DeletionTimestamp == nil && status.Phase == api.FaultEnded && spec.GetLeaseSeconds() > 0:
		err = w.client.Delete(ctx, f)
	default:
		return postponed
	}
	if client.IgnoreNotFound(err) != nil {
		w.log.Warn("changing a fault", "fault", f.Namespace+"/"+f.Name, "error", err)
		return true
	}
	return postponed
}

// finalize adds or removes the finalizer of a fault.
func (w writer) finalize(ctx context.Context, f *api.Fault, change func(client.Object, string) bool) error {
	next := f.DeepCopy()
	if !change(next, api.Finalizer) {
		return nil
	}
	return w.client.Patch(ctx, next, client.MergeFromWithOptions(f, client.MergeFromWithOptimisticLock{}))
}

// write writes a status, unless the last one is too recent. It returns true if it must be tried again.
func (w writer) write(ctx context.Context, was, next client.Object) (postponed bool) {
	uid := string(was.GetUID())
	if time.Since(w.written[uid]) < writeInterval {
		return true
	}
	w.written[uid] = time.Now()
	err := w.client.Status().Patch(ctx, next, client.MergeFrom(was))
	if err == nil {
		// A change of the object that follows is one of what was written.
		was.SetResourceVersion(next.GetResourceVersion())
	}
	if err == nil || apierrors.IsNotFound(err) {
		return false
	}
	w.log.Warn("writing a status", "object", fmt.Sprintf("%T %s/%s", was, was.GetNamespace(), was.GetName()), "error", err)
	return true
}
