// Package operator connects the control plane with the API server: it puts the objects of the cluster into the store, and, in the leading replica,
// writes the status of policies and faults.
//
//	API server ── watch ──▶ observe ──▶ Store            (every replica)
//	           ◀── status, finalizers ── write ◀── Plane  (the leader)
package operator

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// Config describes an operator. All fields are required.
type Config struct {
	// API is the configuration of the client of the API server.
	API *rest.Config
	// Namespace is where replicas elect their leader.
	Namespace string
	// Plane is the control plane whose Store the operator fills.
	Plane *control.Plane
	// Ready is called when the store has all objects of the cluster.
	Ready func()
	// Log receives log records.
	Log *slog.Logger
}

// The leader gives up its lead when it cannot renew it for leaseTime, and another replica takes over.
const (
	leaderID   = "sandbox-control"
	leaseTime  = 8 * time.Second
	renewTime  = 6 * time.Second
	retryTime  = time.Second
	crdTimeout = 2 * time.Minute
)

// Run works until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := waitForKinds(ctx, cfg); err != nil {
		return err
	}
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		return fmt.Errorf("preparing the operator: %w", err)
	}
	if err := api.AddToScheme(known); err != nil {
		return fmt.Errorf("preparing the operator: %w", err)
	}
	lease, renew, retry := leaseTime, renewTime, retryTime
	mgr, err := ctrl.NewManager(cfg.API, manager.Options{
		Scheme: known, Logger: logr.FromSlogHandler(cfg.Log.Handler()), Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: leaderID, LeaderElectionNamespace: cfg.Namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: slimPod}, &appsv1.Deployment{}: {Transform: slimDeployment},
			&corev1.Secret{}: onlySecret(cfg.Namespace, PartnersSecret)}, DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	if err := observe(ctx, mgr.GetCache(), cfg.Plane, cfg.Log); err != nil {
		return err
	}
	if err := mgr.Add(writer{client: mgr.GetClient(), plane: cfg.Plane, log: cfg.Log, written: map[string]time.Time{}}); err != nil {
		return fmt.Errorf("preparing the operator: %w", err)
	}
	store := partnerStore{reader: mgr.GetAPIReader(), writer: mgr.GetClient(), namespace: cfg.Namespace}
	if err := mgr.Add(everywhere(func(ctx context.Context) error { return cfg.Plane.Partners.Maintain(ctx, store) })); err != nil {
		return fmt.Errorf("preparing the operator: %w", err)
	}
	if err := mgr.Add(everywhere(func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			cfg.Ready()
		}
		return nil
	})); err != nil {
		return fmt.Errorf("preparing the operator: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("watching the API server: %w", err)
	}
	return nil
}

// onlySecret limits the watch of Secrets to one, which is all that the control plane may read.
func onlySecret(namespace, name string) cache.ByObject {
	return cache.ByObject{Namespaces: map[string]cache.Config{namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", name)}}}
}

// everywhere runs in every replica, and not only in the leader.
type everywhere func(context.Context) error

// Start runs the function.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection returns false.
func (everywhere) NeedLeaderElection() bool { return false }

// waitForKinds waits until the API server serves our objects: after an installation, that takes a moment.
func waitForKinds(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, crdTimeout)
	defer cancel()
	d, err := discovery.NewDiscoveryClientForConfig(cfg.API)
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	var last error
	err = pause.Until(ctx, 300*time.Millisecond, func(context.Context) (bool, error) {
		list, err := d.ServerResourcesForGroupVersion(api.GroupVersion.String())
		last = err
		return err == nil && len(list.APIResources) >= 2, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the kinds of %s: %w", api.GroupVersion, cmp.Or(last, err))
	}
	return nil
}

// slimPod keeps what the store needs of a pod: a cluster may have thousands.
func slimPod(object any) (any, error) {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	slim := &corev1.Pod{ObjectMeta: p.ObjectMeta, Spec: corev1.PodSpec{ServiceAccountName: p.Spec.ServiceAccountName},
		Status: corev1.PodStatus{Phase: p.Status.Phase, Conditions: p.Status.Conditions, PodIP: p.Status.PodIP}}
	slim.Annotations, slim.ManagedFields, slim.OwnerReferences = nil, nil, nil
	for _, c := range p.Spec.Containers {
		if len(c.Ports) > 0 {
			slim.Spec.Containers = append(slim.Spec.Containers, corev1.Container{Name: c.Name, Ports: c.Ports})
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		slim.Status.ContainerStatuses = append(slim.Status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, RestartCount: c.RestartCount, LastTerminationState: c.LastTerminationState})
	}
	return slim, nil
}
