package operator

import (
	"context"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// observe keeps the store in step with the cluster. An object that cannot be used is not in the store; the writer says why in its status.
func observe(ctx context.Context, from cache.Cache, store *control.Store, log *slog.Logger) error {
	for _, w := range []struct {
		object client.Object
		set    func(client.Object)
		remove func(client.Object)
	}{
		{&corev1.Pod{}, func(o client.Object) { setPod(store, o) }, func(o client.Object) { store.RemovePod(o.GetNamespace(), o.GetName()) }},
		{&corev1.Namespace{}, func(o client.Object) { store.Permit(o.GetName(), o.GetLabels()[api.FaultsLabel] == api.FaultsAllowed) },
			func(o client.Object) { store.Permit(o.GetName(), false) }},
		{&api.TrafficPolicy{}, func(o client.Object) { setPolicy(store, o, log) }, func(o client.Object) { store.RemovePolicy(o.GetNamespace(), o.GetName()) }},
		{&api.Fault{}, func(o client.Object) { setFault(store, o, log) }, func(o client.Object) { store.RemoveFault(o.GetNamespace(), o.GetName()) }},
	} {
		informer, err := from.GetInformer(ctx, w.object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
		if _, err := informer.AddEventHandler(handler(w.set, w.remove)); err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
	}
	return nil
}

func handler(set, remove func(client.Object)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { with(o, set) },
		UpdateFunc: func(_, o any) { with(o, set) },
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			with(o, remove)
		},
	}
}

func with(o any, do func(client.Object)) {
	if object, ok := o.(client.Object); ok {
		do(object)
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
