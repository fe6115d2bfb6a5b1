package kube

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestNotReady_CountsPods(t *testing.T) {
	for _, c := range []struct {
		sentence string
		change   func(*appsv1.Deployment)
		// want is empty if nothing is lacking.
		want string
	}{
		{"all pods are new and ready", nil, ""},
		{"more pods are ready than wanted", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 4 }, ""},
		{"a pod is not ready", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 2 }, "thing has 2 of 3 pods ready"},
		{"the controller has not seen the change yet", func(d *appsv1.Deployment) { d.Generation = 3 }, "thing has 3 of 3 pods ready"},
		{"a pod is still an old one", func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 2 }, "thing has 3 of 3 pods ready"},
		{"an old pod is still there in addition to the new ones", func(d *appsv1.Deployment) { d.Status.Replicas = 4 }, "thing has 3 of 3 pods ready"},
		{"without a number of replicas one is expected", func(d *appsv1.Deployment) { d.Spec.Replicas, d.Status.ReadyReplicas = nil, 0 }, "thing has 0 of 1 pods ready"},
		{"a deployment scaled to 0", func(d *appsv1.Deployment) {
			none := int32(0)
			d.Spec.Replicas, d.Status = &none, appsv1.DeploymentStatus{ObservedGeneration: 2}
		}, "thing has 0 of 0 pods ready: it was scaled to 0"},
	} {
		client := &Client{Kube: fake.NewClientset(deployment(c.change))}
		got, of, err := client.NotReady(t.Context(), "shop", ReleaseLabel+"=thing")
		if err != nil || of != 1 {
			t.Fatalf("%s: %d deployments, %v", c.sentence, of, err)
		}
		if text := join(got); text != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, text, c.want)
		}
	}
	lacking := deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
	if got, of, err := (&Client{Kube: fake.NewClientset(lacking)}).NotReady(t.Context(), "shop", ReleaseLabel+"=other"); err != nil || len(got) != 0 || of != 0 {
		t.Errorf("another release is not asked for: %v, %v", got, err)
	}
}

func join(all []NotReady) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, "; ")
}

func TestNotReady_HasAReason(t *testing.T) {
	unschedulable := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes: insufficient memory"}}
	}
	ended := func(code int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}}
		}
	}
	inInit := func(p *corev1.Pod) {
		waiting("CrashLoopBackOff", "")(p)
		p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses, nil
	}
	warning := func(reason, message string, at int64) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: reason}, InvolvedObject: corev1.ObjectReference{Name: "a"},
			Type: corev1.EventTypeWarning, Reason: reason, Message: message, LastTimestamp: metav1.Unix(at, 0),
		}
	}
	// This is what the fake client returns.
	const logged = "; last log line: fake logs"
	for _, c := range []struct {
		sentence string
		objects  []runtime.Object
		want     string
	}{
		{"a crash loop comes with the last log line", []runtime.Object{pod("a", waiting("CrashLoopBackOff", "back-off 5s"))}, "pod a: CrashLoopBackOff back-off 5s" + logged},
		{"an image that cannot be pulled", []runtime.Object{pod("a", waiting("ImagePullBackOff", "not found"))}, "pod a: ImagePullBackOff not found" + logged},
		{"a container that failed", []runtime.Object{pod("a", ended(3))}, "pod a: container main ended with exit code 3" + logged},
		{"a container that succeeded is not a reason", []runtime.Object{pod("a", ended(0))}, ""},
		{"a failing init container counts", []runtime.Object{pod("a", inInit)}, "pod a: CrashLoopBackOff" + logged},
		{"no room on the node", []runtime.Object{pod("a", unschedulable)}, "pod a: cannot be scheduled: 0/1 nodes: insufficient memory"},
		{"a warning, if the pod has no reason", []runtime.Object{pod("a", waiting("ContainerCreating", "")), warning("FailedMount", "no secret", 1)}, "pod a: FailedMount: no secret"},
		{"of two warnings the later one", []runtime.Object{pod("a", nil), warning("Newer", "x", 2), warning("Older", "y", 1)}, "pod a: Newer: x"},
		{"the container's state counts before a warning", []runtime.Object{pod("a", waiting("CrashLoopBackOff", "")), warning("Unhealthy", "x", 1)}, "pod a: CrashLoopBackOff" + logged},
		{"a starting pod has no reason", []runtime.Object{pod("a", waiting("ContainerCreating", ""))}, ""},
		{"a ready pod is skipped", []runtime.Object{pod("a", both(ready, waiting("CrashLoopBackOff", "")))}, ""},
		{"a terminating pod is skipped", []runtime.Object{pod("a", both(terminating, waiting("CrashLoopBackOff", "")))}, ""},
		{"the first pod with a reason counts", []runtime.Object{pod("a", waiting("ContainerCreating", "")), pod("b", waiting("CrashLoopBackOff", ""))}, "pod b: CrashLoopBackOff" + logged},
		{"another release's pod is skipped", []runtime.Object{pod("a", func(p *corev1.Pod) {
			p.Labels[ReleaseLabel] = "other"
			waiting("CrashLoopBackOff", "")(p)
		})}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			lacking := deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 })
			k := fake.NewClientset(append(c.objects, lacking)...)
			got, _, err := (&Client{Kube: k}).NotReady(t.Context(), "shop", "")
			if err != nil || len(got) != 1 || got[0].Ready != 1 || got[0].Want != 3 || got[0].Why != c.want {
				t.Errorf("got %+v, %v; want why %q", got, err, c.want)
			}
			// The fake does not filter events, and has one log for all containers.
			for _, a := range k.Actions() {
				if of, ok := a.(clienttesting.GenericAction); ok && a.GetSubresource() == "log" && of.GetValue().(*corev1.PodLogOptions).Container != "main" {
					t.Errorf("asked for the log of %+v", of.GetValue())
				}
				if list, ok := a.(clienttesting.ListAction); ok && a.GetResource().Resource == "events" {
					fields := list.GetListRestrictions().Fields.String()
					if !strings.Contains(fields, "involvedObject.name=") || !strings.Contains(fields, "type=Warning") {
						t.Errorf("asked for events %q", fields)
					}
				}
			}
		})
	}
}
