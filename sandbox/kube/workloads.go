package kube

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Workloads are the pods and deployments of one namespace.
type Workloads struct {
	// Client is the client of the cluster, Namespace the namespace.
	Client    *Client
	Namespace string
}

// Pods lists the pods of a release, or of every release if release is empty.
func (w Workloads) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	if release == "" {
		return w.PodsBy(ctx, "")
	}
	return w.PodsBy(ctx, ReleaseLabel+"="+release)
}

// PodsBy lists the pods that a label selector selects.
func (w Workloads) PodsBy(ctx context.Context, selector string) ([]telemetry.Pod, error) {
	list, err := w.Client.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	var pods []telemetry.Pod
	for i := range list.Items {
		pods = append(pods, describe(&list.Items[i]))
	}
	return pods, nil
}

func describe(p *corev1.Pod) telemetry.Pod {
	t := telemetry.Pod{Name: p.Name, Namespace: p.Namespace, Release: p.Labels[ReleaseLabel], Phase: string(p.Status.Phase), Ready: isReady(p), Started: p.CreationTimestamp.Time}
	for _, c := range p.Status.ContainerStatuses {
		t.Restarts += c.RestartCount
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			t.Phase = c.State.Waiting.Reason
		}
	}
	if p.DeletionTimestamp != nil {
		t.Phase, t.Ready = "Terminating", false
	}
	return t
}

// Kill deletes a pod. Zero grace kills its processes immediately. Kubernetes counts whole seconds: a fraction is rounded up.
func (w Workloads) Kill(ctx context.Context, pod string, grace time.Duration) error {
	seconds := int64(math.Ceil(grace.Seconds()))
	if err := w.Client.Kube.CoreV1().Pods(w.Namespace).Delete(ctx, pod, metav1.DeleteOptions{GracePeriodSeconds: &seconds}); err != nil {
		return fmt.Errorf("killing pod %s: %w", pod, err)
	}
	return nil
}

// Replicas returns the desired number of pods of a release.
func (w Workloads) Replicas(ctx context.Context, release string) (int, error) {
	scale, err := w.Client.Kube.AppsV1().Deployments(w.Namespace).GetScale(ctx, release, metav1.GetOptions{})
	if err != nil {
		return 0, fmt.Errorf("reading the replicas of %s: %w", release, err)
	}
	return int(scale.Spec.Replicas), nil
}

// Scale sets the desired number of pods of a release.
func (w Workloads) Scale(ctx context.Context, release string, replicas int) error {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := w.Client.Kube.AppsV1().Deployments(w.Namespace).Patch(ctx, release, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	if err != nil {
		return fmt.Errorf("scaling %s to %d: %w", release, replicas, err)
	}
	return nil
}

// Logs returns the last lines of a pod's first container.
func (c *Client) Logs(ctx context.Context, namespace, pod string, lines int64) (string, error) {
	raw, err := c.Kube.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{TailLines: &lines}).DoRaw(ctx)
	return strings.TrimSpace(string(raw)), err
}
