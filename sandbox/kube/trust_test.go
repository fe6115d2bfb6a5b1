package kube

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestSetTrustBundle_WritesOnlyChanges(t *testing.T) {
	kube := fake.NewClientset()
	c := &Client{Kube: kube}
	for _, text := range []string{"one", "one two", "one two", "two"} {
		if err := c.SetTrustBundle(t.Context(), "shop", []byte(text)); err != nil {
			t.Fatal(err)
		}
		all, err := c.TrustBundles(t.Context())
		if err != nil || len(all) != 1 || string(all["shop"]) != text {
			t.Errorf("got %q, %v; want %q in shop alone", all, err, text)
		}
	}
	var writes []string
	for _, a := range kube.Actions() {
		if a.GetVerb() == "create" || a.GetVerb() == "update" {
			writes = append(writes, a.GetVerb())
		}
	}
	if diff := cmp.Diff([]string{"create", "update", "update"}, writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestPutSecret_CreatesOrReplaces(t *testing.T) {
	c := &Client{Kube: fake.NewClientset()}
	data, version, err := c.Secret(t.Context(), "cert-manager", "root")
	if data != nil || version != "" || err != nil {
		t.Fatalf("a secret that is absent: %v %q %v", data, version, err)
	}
	first := map[string][]byte{"tls.crt": []byte("c"), "tls.key": []byte("k"), "next.crt": []byte("n")}
	if _, err := c.PutSecret(t.Context(), "cert-manager", "root", first, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutSecret(t.Context(), "cert-manager", "root", first, ""); err == nil {
		t.Error("a secret was replaced although none was expected")
	}
	second := map[string][]byte{"tls.crt": []byte("n"), "tls.key": []byte("k")}
	if _, err := c.PutSecret(t.Context(), "cert-manager", "root", second, "1"); err != nil {
		t.Fatal(err)
	}
	data, _, err = c.Secret(t.Context(), "cert-manager", "root")
	if diff := cmp.Diff(second, data); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestDeleteSecret_OnlyWithTheExpectedCertificate(t *testing.T) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "cert-manager", Name: "sandbox-ca", ResourceVersion: "1"}, Data: map[string][]byte{"tls.crt": []byte("mine")}}
	c := &Client{Kube: fake.NewClientset(s)}
	for _, step := range []struct {
		certificate string
		left        int
	}{{"another", 1}, {"mine", 0}, {"mine", 0}} {
		if err := c.DeleteSecret(t.Context(), "cert-manager", "sandbox-ca", []byte(step.certificate)); err != nil {
			t.Fatal(err)
		}
		all, err := c.Kube.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(all.Items) != step.left {
			t.Errorf("after removing %q: %d left, %v", step.certificate, len(all.Items), err)
		}
	}
}

func TestTrustingPods_MountTheBundle(t *testing.T) {
	pod := func(namespace, name string, phase corev1.PodPhase, v corev1.VolumeSource) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{ReleaseLabel: "of-" + name},
			Annotations: map[string]string{"sandbox.dev/certificates-at": "metrics:9464"}},
			Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: v}}}, Status: corev1.PodStatus{Phase: phase}}
	}
	bundle := corev1.LocalObjectReference{Name: "sandbox-trust"}
	projected := corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{Secret: &corev1.SecretProjection{}}, {ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: bundle}}}}}
	alone := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: bundle}}
	other := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "policy"}}}
	c := &Client{Kube: fake.NewClientset(pod("shop", "a", corev1.PodRunning, projected), pod("system", "b", corev1.PodPending, alone),
		pod("shop", "c", corev1.PodRunning, other), pod("shop", "d", corev1.PodSucceeded, projected))}
	got, err := c.TrustingPods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]TrustingPod{}
	for _, p := range got {
		seen[p.Namespace+"/"+p.Name] = p
	}
	if diff := cmp.Diff([]string{"shop/a", "system/b"}, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if a := seen["shop/a"]; !a.Running || a.Release != "of-a" || a.At != "metrics:9464" || seen["system/b"].Running {
		t.Errorf("got %+v", got)
	}
}

func TestTrustBundle_HasARemedy(t *testing.T) {
	_, err := (&Client{Kube: fake.NewClientset()}).TrustBundle(t.Context(), "shop")
	fixture.WantError(t, err, "reading the trust bundle of namespace shop", "not found")
}
