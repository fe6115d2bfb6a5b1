package kube

import (
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// podStarted returns a pod of the deployment shop/thing, whose container was started at a time.
func podStarted(name string, at time.Time, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{ReleaseLabel: "thing"}},
		Status: corev1.PodStatus{
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}}},
		}}
}

func counting(ready int32) *appsv1.Deployment {
	return deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = ready })
}

func TestWaitForStatuses_OldStatuses(t *testing.T) {
	restart := time.Date(2027, 1, 1, 12, 0, 0, 900e6, time.UTC)
	// A status has whole seconds.
	before, after := restart.Add(-time.Hour), restart.Truncate(time.Second)
	deleted := podStarted("b", after, corev1.ConditionTrue)
	deleted.DeletionTimestamp, deleted.Finalizers = &metav1.Time{Time: after}, []string{"test/keeps-it"}
	for _, c := range []struct {
		sentence string
		pods     []*corev1.Pod
		counted  int32
		// want is a part of the error, or empty for success.
		want string
	}{
		{"every pod is new and counted", []*corev1.Pod{podStarted("a", after, corev1.ConditionTrue)}, 1, ""},
		{"the kubelet has not reported a pod yet", []*corev1.Pod{podStarted("a", before, corev1.ConditionTrue)}, 1, "pod shop/a is called ready by a status from before"},
		{"the kubelet has reported that a container is gone", []*corev1.Pod{podStarted("a", before, corev1.ConditionFalse)}, 0, ""},
		{"the controller has not counted again yet", []*corev1.Pod{podStarted("a", after, corev1.ConditionFalse)}, 1, "deployment shop/thing has 0 ready pods and counts 1"},
		{"a pod that is being deleted is not counted", []*corev1.Pod{podStarted("a", after, corev1.ConditionTrue), deleted}, 1, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := fake.NewClientset(counting(c.counted))
				for _, p := range c.pods {
					if err := k.Tracker().Add(p); err != nil {
						t.Fatal(err)
					}
				}
				err := (&Client{Kube: k}).WaitForStatuses(t.Context(), restart, time.Minute)
				if c.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				fixture.WantError(t, err, "waiting for the state of the restarted node", c.want, "\ntry: sandbox doctor")
			})
		})
	}
}

func TestWaitForStatuses_EndsWhenTheyAreNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		restart := time.Now()
		k := fake.NewClientset(counting(1), podStarted("a", restart.Add(-time.Hour), corev1.ConditionTrue))
		done := make(chan error, 1)
		go func() { done <- (&Client{Kube: k}).WaitForStatuses(t.Context(), restart, time.Minute) }()
		time.Sleep(10 * time.Second)
		if err := k.Tracker().Update(corev1.SchemeGroupVersion.WithResource("pods"), podStarted("a", time.Now(), corev1.ConditionTrue), "shop"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil || time.Since(restart) < 10*time.Second || time.Since(restart) > 11*time.Second {
			t.Errorf("after %s: %v", time.Since(restart), err)
		}
	})
}
