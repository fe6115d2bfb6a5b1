package live

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

func TestWorkloads_ControlIsInItsOwnNamespace(t *testing.T) {
	pod := func(namespace, name, release string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{kube.ReleaseLabel: release}}}
	}
	client := &kube.Client{Kube: fake.NewClientset(pod("shop", "userservice-1", "userservice"), pod("sandbox-system", "control-1", "control"), pod("sandbox-system", "jaeger-1", "jaeger"))}
	w := (&Cluster{Kube: client, Workloads: kube.Workloads{Client: client, Namespace: charts.ShopNamespace}}).workloads()
	for release, want := range map[string]string{"userservice": "shop/userservice-1", "control": "sandbox-system/control-1"} {
		pods, err := w.Pods(t.Context(), release)
		if err != nil || len(pods) != 1 || pods[0].Namespace+"/"+pods[0].Name != want {
			t.Fatalf("%s: %+v, %v; want %s", release, pods, err, want)
		}
		if err := w.Kill(t.Context(), pods[0].Name, 0); err != nil {
			t.Error(err)
		}
		if pods, err := w.Pods(t.Context(), release); err != nil || len(pods) != 0 {
			t.Errorf("%s after the kill: %+v, %v", release, pods, err)
		}
	}
	if pods, err := w.Pods(t.Context(), "jaeger"); err != nil || len(pods) != 0 {
		t.Errorf("a scenario reaches %+v, %v", pods, err)
	}
}
