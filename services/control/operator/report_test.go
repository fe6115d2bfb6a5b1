package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/grpc-sandbox/sandbox/services/control/hub"
)

// recording returns a reporter, and a function that returns its events so far: kind, namespace, subject, service and detail.
func recording() (reporter, func() []string) {
	var all []string
	r := reporter{func(s hub.Source, kind, subject, detail string) {
		all = append(all, kind+" "+s.Namespace+"/"+subject+" of "+s.Service+": "+detail)
	}}
	return r, func() []string { return all }
}

func podWith(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta1("users-1"), Spec: corev1.PodSpec{ServiceAccountName: "users"}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Message: "containers with unready status: [users]"}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "users"}}
	if change != nil {
		change(p)
	}
	return p
}

func TestReporter_Pod(t *testing.T) {
	ready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionTrue }
	for _, c := range []struct {
		sentence string
		was, now client.Object
		want     []string
	}{
		{"a new pod", nil, podWith(nil), []string{"created"}},
		{"it becomes ready", podWith(nil), podWith(ready), []string{"ready"}},
		{"nothing has changed", podWith(ready), podWith(ready), nil},
		{"it becomes unready", podWith(ready), podWith(nil), []string{"not ready: containers with unready status: [users]"}},
		{"it is deleted", podWith(ready), podWith(func(p *corev1.Pod) { ready(p); p.DeletionTimestamp = new(metav1.Now()) }), []string{"is being deleted"}},
		{"it is gone", podWith(nil), nil, []string{"gone"}},
		{"a container was killed", podWith(ready), podWith(func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].RestartCount = 1
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}
		}), []string{"container users has restarted: OOMKilled, exit code 137", "not ready: containers with unready status: [users]"}},
	} {
		r, events := recording()
		w := watched{report: r.pod}
		w.change(c.was, c.now, true)
		var want []string
		for _, detail := range c.want {
			want = append(want, "pod shop/users-1 of users: "+detail)
		}
		if diff := cmp.Diff(want, events()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

// TestWatched_KnownObjectsAreNoNews: what exists when the control plane starts makes no events, and is in the store.
func TestWatched_KnownObjectsAreNoNews(t *testing.T) {
	r, events := recording()
	set := 0
	w := watched{report: r.pod, set: func(client.Object) { set++ }}
	w.handler().OnAdd(podWith(nil), true)
	if got := events(); len(got) != 0 || set != 1 {
		t.Errorf("events %q, set %d times", got, set)
	}
	w.handler().OnAdd(podWith(nil), false)
	if got := events(); len(got) != 1 || set != 2 {
		t.Errorf("events %q, set %d times", got, set)
	}
}

func TestReporter_Deployment(t *testing.T) {
	deployment := func(revisionNumber string, generation int64, wanted, updated, available int32) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: meta1("users"), Spec: appsv1.DeploymentSpec{Replicas: &wanted},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: available, UpdatedReplicas: updated, AvailableReplicas: available}}
		d.Generation, d.Annotations = generation, map[string]string{revision: revisionNumber, "other": "x"}
		slim, err := slimDeployment(d)
		if err != nil {
			t.Fatal(err)
		}
		return slim.(*appsv1.Deployment)
	}
	for _, c := range []struct {
		sentence string
		was, now *appsv1.Deployment
		want     []string
	}{
		{"a new template", deployment("1", 2, 3, 3, 3), deployment("2", 3, 3, 3, 3), []string{"rollout shop/users of users: revision 2 has started"}},
		{"half way", deployment("2", 2, 3, 1, 3), deployment("2", 2, 3, 2, 3), nil},
		{"the last pod", deployment("2", 2, 3, 2, 3), deployment("2", 2, 3, 3, 3), []string{"rollout shop/users of users: revision 2 is complete: 3 pods"}},
		{"scaled", deployment("2", 2, 3, 3, 3), deployment("2", 3, 5, 3, 3), []string{"rollout shop/users of users: scaled from 3 to 5 pods"}},
	} {
		r, events := recording()
		r.deployment(c.was, c.now)
		if diff := cmp.Diff(c.want, events()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

func TestReporter_Certificate(t *testing.T) {
	r, events := recording()
	before, after := newCertificate(), newCertificate()
	for revision, c := range map[int64]map[string]any{1: before.Object, 2: after.Object} {
		c["metadata"] = map[string]any{"namespace": "shop", "name": "postgres"}
		c["status"] = map[string]any{"revision": revision, "notAfter": "2026-12-24T00:00:00Z"}
	}
	r.certificate(before, before)
	r.certificate(before, after)
	want := []string{"certificate shop/postgres of postgres: cert-manager has issued revision 2, valid until 2026-12-24T00:00:00Z"}
	if diff := cmp.Diff(want, events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
