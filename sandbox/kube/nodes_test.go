package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func node(name string, ready corev1.ConditionStatus, message string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if ready != "" {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue}, {Type: corev1.NodeReady, Status: ready, Message: message}}
	}
	return n
}

func TestWaitForNodes_ErrorNamesTheNode(t *testing.T) {
	for _, c := range []struct {
		sentence string
		nodes    []*corev1.Node
		// want is a part of the error, or empty for success.
		want string
	}{
		{"all are ready", []*corev1.Node{node("a", corev1.ConditionTrue, ""), node("b", corev1.ConditionTrue, "")}, ""},
		{"one is not ready, with a reason", []*corev1.Node{node("a", corev1.ConditionTrue, ""), node("b", corev1.ConditionFalse, "no network")}, "b: no network"},
		{"one has reported nothing yet", []*corev1.Node{node("a", "", "")}, "a: it has not reported its status"},
		{"there is no node", nil, "there is no node"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := fake.NewClientset()
				for _, n := range c.nodes {
					if _, err := k.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				err := (&Client{Kube: k}).WaitForNodes(t.Context(), time.Minute)
				if c.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				fixture.WantError(t, err, "waiting for the node", c.want, "\ntry: sandbox doctor")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after its limit: %v", err)
				}
			})
		})
	}
}

func TestWaitForNodes_BecomesReadyOrIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := fake.NewClientset(node("a", corev1.ConditionFalse, "no network"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- (&Client{Kube: k}).WaitForNodes(ctx, time.Minute) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
		go func() { ended <- (&Client{Kube: k}).WaitForNodes(t.Context(), time.Minute) }()
		synctest.Wait()
		if _, err := k.CoreV1().Nodes().Update(t.Context(), node("a", corev1.ConditionTrue, ""), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
