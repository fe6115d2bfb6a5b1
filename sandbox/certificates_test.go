package sandbox

import (
	"errors"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// issuingCluster is a cluster with the certificate of one release, and a pod of another one that cannot be observed. When the certificate has to be
// issued again, that is the certificate of next.
func issuingCluster(t *testing.T, release charts.Release, first, next certs.Root) *kube.Client {
	secret := func(chain []byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: release.Namespace, Name: release.Name + "-tls",
			Labels: map[string]string{"controller.cert-manager.io/fao": "true"}}, Data: map[string][]byte{"tls.crt": chain}}
	}
	broken := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: release.Namespace, Name: "other-1", Labels: map[string]string{kube.ReleaseLabel: "other"}},
		Spec: corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: charts.TrustBundle}}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending}}
	typed := fake.NewClientset(rootSecret(charts.RootSecret, certs.Authority{Issuing: first, Next: &next}), secret(first.CertPEM), broken)
	resource := schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{resource: "CertificateList"},
		&unstructured.Unstructured{Object: map[string]any{"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
			"metadata": map[string]any{"namespace": release.Namespace, "name": release.Name},
			"spec": map[string]any{"secretName": release.Name + "-tls",
				"issuerRef": map[string]any{"name": charts.IntermediateIssuer, "kind": "ClusterIssuer"}}}})
	dynamic.PrependReactor("update", "certificates", func(clienttesting.Action) (bool, runtime.Object, error) {
		_, err := typed.CoreV1().Secrets(release.Namespace).Update(t.Context(), secret(next.CertPEM), metav1.UpdateOptions{})
		return false, nil, err
	})
	return &kube.Client{Kube: typed, Dynamic: dynamic}
}

func TestRenewRelease_PodsOfOtherReleasesDoNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gateway := charts.Release{Namespace: charts.ShopNamespace, Name: charts.Gateway}
		first, next := newRoot(t), newRoot(t)
		client := issuingCluster(t, gateway, first, next)
		if err := RenewRelease(t.Context(), client, gateway); err != nil {
			t.Fatal(err)
		}
		all, err := pki{client}.Certificates(t.Context())
		if err != nil || len(all) != 1 || string(all[0].Chain) != string(next.CertPEM) {
			t.Errorf("%v, %v", all, err)
		}
	})
}

func TestRenewRelease_WithoutCertificate(t *testing.T) {
	first, next := newRoot(t), newRoot(t)
	client := issuingCluster(t, charts.Release{Namespace: charts.ShopNamespace, Name: charts.Gateway}, first, next)
	var unknown *UnknownCertificateError
	err := RenewRelease(t.Context(), client, charts.Release{Namespace: charts.SystemNamespace, Name: charts.MetricsStore})
	if !errors.As(err, &unknown) || unknown.Name != "sandbox-system/prometheus" || len(remedy.Of(err)) == 0 {
		t.Errorf("got %v", err)
	}
}

func TestPodsOf_OneRelease(t *testing.T) {
	pod := func(namespace, release string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: release + "-1", Labels: map[string]string{kube.ReleaseLabel: release},
			Annotations: map[string]string{charts.CertificatesAt: "metrics:1"}},
			Spec: corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: charts.TrustBundle}}}}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	}
	client := &kube.Client{Kube: fake.NewClientset(pod("shop", "gateway"), pod("shop", "loadgen"), pod("elsewhere", "gateway"))}
	got, err := podsOf{pki{client}, charts.Release{Namespace: "shop", Name: "gateway"}}.Pods(t.Context())
	if want := (certs.Pod{Namespace: "shop", Name: "gateway-1", Running: true, At: "metrics:1"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
