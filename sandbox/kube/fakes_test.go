package kube

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pod(name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{ReleaseLabel: "thing"}}}
	p.Status.Phase = corev1.PodRunning
	if change != nil {
		change(p)
	}
	return p
}

func ready(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: "main", RestartCount: 2, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		})
	}
}

func terminating(p *corev1.Pod) {
	now := metav1.NewTime(time.Unix(100, 0))
	p.DeletionTimestamp, p.Finalizers = &now, []string{"x"}
}

func both(all ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, change := range all {
			change(p)
		}
	}
}

func deployment(change func(*appsv1.Deployment)) *appsv1.Deployment {
	three := int32(3)
	labels := map[string]string{ReleaseLabel: "thing"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "thing", Labels: labels, Generation: 2}}
	d.Spec.Replicas, d.Spec.Selector = &three, &metav1.LabelSelector{MatchLabels: labels}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}
	if change != nil {
		change(d)
	}
	return d
}

// connect returns a client of an API server that handle implements.
func connect(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "x",
		"clusters": []any{map[string]any{"name": "x", "cluster": map[string]any{"server": server.URL}}},
		"contexts": []any{map[string]any{"name": "x", "context": map[string]any{"cluster": "x"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Connect(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
