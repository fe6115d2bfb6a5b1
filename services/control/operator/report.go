package operator

import (
	"cmp"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/hub"
)

// The kinds of the events that are made from objects of the API server. Processes report events of kind certificate, too, when they load a new one.
const (
	kindPod         = "pod"
	kindRollout     = "rollout"
	kindCertificate = "certificate"
)

// certificateKind is cert-manager's Certificate.
var certificateKind = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}

func newCertificate() *unstructured.Unstructured {
	c := &unstructured.Unstructured{}
	c.SetGroupVersionKind(certificateKind)
	return c
}

// reporter makes events from the changes of objects. was is nil for a new object, and now for one that is gone.
type reporter struct {
	observe func(source hub.Source, kind, subject, detail string)
}

func (r reporter) pod(was, now client.Object) {
	before, _ := was.(*corev1.Pod)
	after, _ := now.(*corev1.Pod)
	one := cmp.Or(after, before)
	if one == nil {
		return
	}
	source := hub.Source{Namespace: one.Namespace, Pod: one.Name, Service: cmp.Or(one.Labels[compile.ServiceLabel], one.Spec.ServiceAccountName)}
	say := func(format string, args ...any) { r.observe(source, kindPod, one.Name, fmt.Sprintf(format, args...)) }
	switch {
	case before == nil:
		say("created")
		return
	case after == nil:
		say("gone")
		return
	}
	if before.DeletionTimestamp == nil && after.DeletionTimestamp != nil {
		say("is being deleted")
	}
	restarts := map[string]int32{}
	for _, c := range before.Status.ContainerStatuses {
		restarts[c.Name] = c.RestartCount
	}
	for _, c := range after.Status.ContainerStatuses {
		if last := c.LastTerminationState.Terminated; c.RestartCount > restarts[c.Name] && last != nil {
			say("container %s has restarted: %s, exit code %d", c.Name, last.Reason, last.ExitCode)
		}
	}
	wasReady, _ := readiness(before)
	switch is, why := readiness(after); {
	case is && !wasReady:
		say("ready")
	case !is && wasReady:
		say("not ready: %s", why)
	}
}

// readiness reports whether a pod is ready, and if not, why.
func readiness(p *corev1.Pod) (is bool, why string) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, cmp.Or(c.Message, c.Reason, "no reason given")
		}
	}
	return false, "it has not started"
}

// revision is the annotation that changes with the pod template of a deployment.
const revision = "deployment.kubernetes.io/revision"

func (r reporter) deployment(was, now client.Object) {
	before, _ := was.(*appsv1.Deployment)
	after, _ := now.(*appsv1.Deployment)
	if before == nil || after == nil {
		return
	}
	say := func(format string, args ...any) {
		r.observe(hub.Source{Namespace: after.Namespace, Service: after.Name}, kindRollout, after.Name, fmt.Sprintf(format, args...))
	}
	if from, to := before.Annotations[revision], after.Annotations[revision]; from != to {
		say("revision %s has started", to)
	}
	if from, to := wanted(before), wanted(after); from != to {
		say("scaled from %d to %d pods", from, to)
	}
	if complete(after) && !complete(before) {
		say("revision %s is complete: %d pods", after.Annotations[revision], after.Status.Replicas)
	}
}

func wanted(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// complete reports whether all pods of a deployment have its newest template and are available.
func complete(d *appsv1.Deployment) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == wanted(d) && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.Replicas
}

func (r reporter) certificate(was, now client.Object) {
	before, _ := was.(*unstructured.Unstructured)
	after, _ := now.(*unstructured.Unstructured)
	if before == nil || after == nil {
		return
	}
	from, _, _ := unstructured.NestedInt64(before.Object, "status", "revision")
	to, _, _ := unstructured.NestedInt64(after.Object, "status", "revision")
	if from == to {
		return
	}
	until, _, _ := unstructured.NestedString(after.Object, "status", "notAfter")
	r.observe(hub.Source{Namespace: after.GetNamespace(), Service: after.GetName()}, kindCertificate, after.GetName(),
		fmt.Sprintf("cert-manager has issued revision %d, valid until %s", to, until))
}

// slimDeployment keeps what a reporter needs of a deployment.
func slimDeployment(object any) (any, error) {
	d, ok := object.(*appsv1.Deployment)
	if !ok {
		return object, nil
	}
	slim := &appsv1.Deployment{ObjectMeta: d.ObjectMeta, Spec: appsv1.DeploymentSpec{Replicas: d.Spec.Replicas}, Status: d.Status}
	slim.Annotations, slim.ManagedFields, slim.OwnerReferences, slim.Status.Conditions = map[string]string{revision: d.Annotations[revision]}, nil, nil, nil
	return slim, nil
}
