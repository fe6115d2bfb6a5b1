package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// WaitForStatuses waits until no status is from before a time at which the node was started. A node that ends without warning leaves pods that are
// ready in the API server: the kubelet reports that their containers are gone after its start, and the controllers count ready pods after theirs.
func (c *Client) WaitForStatuses(ctx context.Context, since time.Time, limit time.Duration) error {
	why := errors.New("the API server did not answer")
	err := pause.UntilWithin(ctx, 200*time.Millisecond, limit, func(ctx context.Context) (bool, error) {
		err := c.oldStatus(ctx, since)
		// Keep the last state if this request was cut off by the timeout.
		if ctx.Err() == nil {
			why = err
		}
		return err == nil, nil
	})
	if err != nil {
		return remedy.Errorf(remedy.Command("doctor"), "waiting for the state of the restarted node: %w", errors.Join(err, why))
	}
	return nil
}

// oldStatus returns an error that names a status from before a time.
func (c *Client) oldStatus(ctx context.Context, since time.Time) error {
	pods, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; isReady(p) && startedBefore(p, since) {
			return fmt.Errorf("pod %s/%s is called ready by a status from before", p.Namespace, p.Name)
		}
	}
	deployments, err := c.Kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		ready, err := readyOf(d, pods.Items)
		if err != nil {
			return err
		}
		if d.Status.ReadyReplicas != ready {
			return fmt.Errorf("deployment %s/%s has %d ready pods and counts %d", d.Namespace, d.Name, ready, d.Status.ReadyReplicas)
		}
	}
	return nil
}

// startedBefore reports whether a container of a pod was started before a time. Statuses have whole seconds.
func startedBefore(p *corev1.Pod, since time.Time) bool {
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Running != nil && s.State.Running.StartedAt.Time.Before(since.Truncate(time.Second)) {
			return true
		}
	}
	return false
}

// readyOf counts the ready pods of a deployment, as its controller does: without those that are being deleted.
func readyOf(d *appsv1.Deployment, pods []corev1.Pod) (ready int32, err error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return 0, err
	}
	for i := range pods {
		if p := &pods[i]; p.Namespace == d.Namespace && selector.Matches(labels.Set(p.Labels)) && isReady(p) && p.DeletionTimestamp == nil {
			ready++
		}
	}
	return ready, nil
}
