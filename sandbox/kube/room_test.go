package kube

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestRoom_IsTheFreeCapacityOfTheNodes(t *testing.T) {
	list := func(cpu, memory, pods string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory), corev1.ResourcePods: resource.MustParse(pods)}
	}
	requesting := func(cpu, memory string) corev1.PodSpec {
		return corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}}}}}
	}
	for name, c := range map[string]struct {
		allocatable corev1.ResourceList
		phase       corev1.PodPhase
		cordoned    bool
		want        int
	}{
		"the processor is the limit":     {list("2", "8Gi", "110"), corev1.PodRunning, false, 20},
		"memory is the limit":            {list("64", "1Gi", "110"), corev1.PodRunning, false, 12},
		"the number of pods is":          {list("64", "64Gi", "8"), corev1.PodRunning, false, 7},
		"a pod that ended takes nothing": {list("64", "64Gi", "8"), corev1.PodSucceeded, false, 8},
		"a node that is full":            {list("1", "8Gi", "110"), corev1.PodRunning, false, 0},
		"a node that takes no pods":      {list("2", "8Gi", "110"), corev1.PodRunning, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: corev1.NodeSpec{Unschedulable: c.cordoned}, Status: corev1.NodeStatus{Allocatable: c.allocatable}}
			there := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "big"}, Spec: requesting("1", "256Mi"), Status: corev1.PodStatus{Phase: c.phase}}
			thing := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "thing"}, Spec: appsv1.DeploymentSpec{
				Template: corev1.PodTemplateSpec{Spec: requesting("50m", "64Mi")}}}
			w := Workloads{Client: &Client{Kube: fake.NewClientset(node, there, thing)}, Namespace: "shop"}
			if got, err := w.Room(t.Context(), "thing"); err != nil || got != c.want {
				t.Errorf("room for %d, %v; want %d", got, err, c.want)
			}
		})
	}
}
