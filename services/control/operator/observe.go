package operator

import (
	"context"
	"fmt"
	"log/slog"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/partners"
)

// watched is a kind of objects, and what their changes cause.
type watched struct {
	object client.Object
	// set and remove keep the store in step. Both may be nil.
	set    func(client.Object)
	remove func(client.Object)
	// report makes events from changes. It may be nil.
	report func(was, now client.Object)
}

// observe keeps the store in step with the cluster, and makes events from changes. An object that cannot be used is not in the store; the writer says
// why in its status.
func observe(ctx context.Context, from cache.Cache, plane *control.Plane, log *slog.Logger) error {
	store, events := plane.Store, reporter{plane.Hub.Observe}
	for _, w := range []watched{
		{&corev1.Pod{}, func(o client.Object) { setPod(store, o) }, func(o client.Object) { store.RemovePod(o.GetNamespace(), o.GetName()) }, events.pod},
		{&corev1.Namespace{}, func(o client.Object) { store.Permit(o.GetName(), o.GetLabels()[api.FaultsLabel] == api.FaultsAllowed) },
			func(o client.Object) { store.Permit(o.GetName(), false) }, nil},
		{&api.TrafficPolicy{}, func(o client.Object) { setPolicy(store, o, log) }, func(o client.Object) { store.RemovePolicy(o.GetNamespace(), o.GetName()) }, nil},
		{&api.Fault{}, func(o client.Object) { setFault(store, o, log) }, func(o client.Object) { store.RemoveFault(o.GetNamespace(), o.GetName()) }, nil},
		{&appsv1.Deployment{}, nil, nil, events.deployment},
		{newCertificate(), nil, nil, events.certificate},
		{&corev1.Secret{}, func(o client.Object) { setPartners(plane.Partners, o) }, nil, nil},
	} {
		informer, err := from.GetInformer(ctx, w.object, cache.BlockUntilSynced(false))
		if meta.IsNoMatchError(err) && w.set == nil {
			// A cluster without cert-manager has no certificates.
			log.Info("not watching a kind that the API server does not have", "kind", w.object.GetObjectKind().GroupVersionKind().String())
			continue
		}
		if err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
		if _, err := informer.AddEventHandler(w.handler()); err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
	}
	return nil
}

func (w watched) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, known bool) {
			now, _ := o.(client.Object)
			// What exists when the control plane starts has not just been created.
			w.change(nil, now, !known)
		},
		UpdateFunc: func(from, to any) {
			was, _ := from.(client.Object)
			now, _ := to.(client.Object)
			w.change(was, now, true)
		},
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			was, _ := o.(client.Object)
			w.change(was, nil, true)
		},
	}
}

func (w watched) change(was, now client.Object, isNews bool) {
	switch {
	case now != nil && w.set != nil:
		w.set(now)
	case now == nil && was != nil && w.remove != nil:
		w.remove(was)
	}
	if w.report != nil && isNews {
		w.report(was, now)
	}
}

func setPod(store *control.Store, o client.Object) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		store.RemovePod(p.Namespace, p.Name)
		return
	}
	pod := compile.Pod{Namespace: p.Namespace, Name: p.Name, Account: p.Spec.ServiceAccountName, Labels: p.Labels, Created: p.CreationTimestamp.Time,
		IP: p.Status.PodIP, Port: portOf(p)}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			// A pod that is being deleted gets no calls.
			pod.Ready = c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	store.SetPod(pod)
}

// grpcPort is the name of the container port at which a pod receives calls.
const grpcPort = "grpc"

func portOf(p *corev1.Pod) uint32 {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == grpcPort && port.ContainerPort > 0 {
				return uint32(port.ContainerPort)
			}
		}
	}
	return 0
}

func setPartners(service *partners.Service, o client.Object) {
	if s, ok := o.(*corev1.Secret); ok && s.Name == PartnersSecret {
		service.Set(s.Data)
	}
}

func setPolicy(store *control.Store, o client.Object, log *slog.Logger) {
	p, ok := o.(*api.TrafficPolicy)
	if !ok {
		return
	}
	spec, err := p.Decode()
	if err != nil || p.DeletionTimestamp != nil {
		if err != nil {
			log.Warn("a policy is not accepted", "policy", p.Namespace+"/"+p.Name, "error", err)
		}
		store.RemovePolicy(p.Namespace, p.Name)
		return
	}
	store.SetPolicy(compile.TrafficPolicy{Object: objectOf(compile.KindTrafficPolicy, p), Spec: spec})
}

func setFault(store *control.Store, o client.Object, log *slog.Logger) {
	f, ok := o.(*api.Fault)
	if !ok {
		return
	}
	spec, err := f.Decode()
	if err != nil {
		log.Warn("a fault is not accepted", "fault", f.Namespace+"/"+f.Name, "error", err)
		store.RemoveFault(f.Namespace, f.Name)
		return
	}
	ended := f.DeletionTimestamp != nil || f.Status.Phase == api.FaultEnded
	store.SetFault(compile.Fault{Object: objectOf(compile.KindFault, f), Spec: spec, Ended: ended})
}

func objectOf(kind string, o client.Object) compile.Object {
	return compile.Object{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()), Generation: o.GetGeneration(), Created: o.GetCreationTimestamp().Time}
}
