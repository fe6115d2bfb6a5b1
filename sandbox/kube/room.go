package kube

import (
	"context"
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Room returns how many more pods of a release fit on the nodes, according to the requests of its pods, the requests of the existing pods, and the
// number of pods that a node accepts.
func (w Workloads) Room(ctx context.Context, release string) (int, error) {
	deployment, err := w.Client.Kube.AppsV1().Deployments(w.Namespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return 0, fmt.Errorf("reading the deployment of %s: %w", release, err)
	}
	nodes, err := w.Client.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("listing nodes: %w", err)
	}
	pods, err := w.Client.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("listing pods: %w", err)
	}
	room := 0
	for _, n := range nodes.Items {
		if !n.Spec.Unschedulable {
			room += roomOn(n, pods.Items, deployment.Spec.Template.Spec)
		}
	}
	return room, nil
}

// roomOn returns how many pods like want fit on a node in addition to the existing pods.
func roomOn(n corev1.Node, pods []corev1.Pod, want corev1.PodSpec) int {
	free := n.Status.Allocatable.DeepCopy()
	if free == nil {
		return 0
	}
	for _, p := range pods {
		if p.Spec.NodeName == n.Name && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			for name, q := range requests(p.Spec) {
				left := free[name]
				left.Sub(q)
				free[name] = left
			}
		}
	}
	fit := int64(math.MaxInt32)
	for name, q := range requests(want) {
		if left, known := free[name]; known && !q.IsZero() {
			fit = min(fit, max(0, left.MilliValue()/q.MilliValue()))
		}
	}
	return int(fit)
}

// requests returns the resources that a pod takes on a node: one pod, and the requests of its containers.
func requests(p corev1.PodSpec) corev1.ResourceList {
	sum := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}
	for _, c := range p.Containers {
		for name, q := range c.Resources.Requests {
			total := sum[name]
			total.Add(q)
			sum[name] = total
		}
	}
	return sum
}
