package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// NotReady describes a deployment that lacks pods, and why.
type NotReady struct {
	// Deployment is the name of the deployment. Ready is how many of its pods are ready, Want how many it should have; 0 if it was scaled to 0.
	Deployment string
	Ready      int32
	Want       int32
	// Why is the container's state, its last log line, or the last warning. It is empty while the pod only starts.
	Why string
}

// String returns how many pods are ready, and why the others are not.
func (n NotReady) String() string {
	s := fmt.Sprintf("%s has %d of %d pods ready", n.Deployment, n.Ready, n.Want)
	if n.Why != "" {
		s += ": " + n.Why
	}
	return s
}

// NotReady lists the deployments with a label selector that lack pods, and returns how many deployments there are in total.
func (c *Client) NotReady(ctx context.Context, namespace, selector string) (lacking []NotReady, of int, err error) {
	list, err := c.Kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, 0, err
	}
	for i := range list.Items {
		d := &list.Items[i]
		want := int32(1)
		if d.Spec.Replicas != nil {
			want = *d.Spec.Replicas
		}
		s := d.Status
		// None of our charts sets zero replicas.
		if want == 0 {
			lacking = append(lacking, NotReady{Deployment: d.Name, Why: "it was scaled to 0"})
			continue
		}
		if s.ObservedGeneration >= d.Generation && s.ReadyReplicas >= want && s.UpdatedReplicas >= want && s.Replicas == s.UpdatedReplicas {
			continue
		}
		lacking = append(lacking, NotReady{
			Deployment: d.Name, Ready: s.ReadyReplicas, Want: want, Why: c.why(ctx, namespace, labels.Set(d.Spec.Selector.MatchLabels).String()),
		})
	}
	return lacking, len(list.Items), nil
}

// why returns the reason of the first pod that has one.
func (c *Client) why(ctx context.Context, namespace, selector string) string {
	pods, err := c.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return ""
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if isReady(p) || p.DeletionTimestamp != nil {
			continue
		}
		if reason := c.podTrouble(ctx, p); reason != "" {
			return "pod " + p.Name + ": " + reason
		}
	}
	return ""
}

func (c *Client) podTrouble(ctx context.Context, p *corev1.Pod) string {
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if w := s.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return withLog(strings.TrimSpace(w.Reason+" "+w.Message), c.lastLine(ctx, p, s.Name))
		}
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return withLog(fmt.Sprintf("container %s ended with exit code %d", s.Name, t.ExitCode), c.lastLine(ctx, p, s.Name))
		}
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			return "cannot be scheduled: " + cond.Message
		}
	}
	return c.lastWarning(ctx, p)
}

func withLog(reason, line string) string {
	if line == "" {
		return reason
	}
	return reason + "; last log line: " + line
}

func (c *Client) lastLine(ctx context.Context, p *corev1.Pod, container string) string {
	one := int64(1)
	for _, previous := range []bool{false, true} {
		raw, err := c.Kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: container, TailLines: &one, Previous: previous}).DoRaw(ctx)
		if line := strings.TrimSpace(string(raw)); err == nil && line != "" {
			return line
		}
	}
	return ""
}

func (c *Client) lastWarning(ctx context.Context, p *corev1.Pod) string {
	selector := fields.Set{"involvedObject.name": p.Name, "type": corev1.EventTypeWarning}.AsSelector().String()
	events, err := c.Kube.CoreV1().Events(p.Namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil || len(events.Items) == 0 {
		return ""
	}
	latest := events.Items[0]
	for _, e := range events.Items[1:] {
		if e.LastTimestamp.After(latest.LastTimestamp.Time) {
			latest = e
		}
	}
	return latest.Reason + ": " + latest.Message
}
