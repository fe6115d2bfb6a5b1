package operator

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/grpc-sandbox/sandbox/services/control/partners"
)

func TestPartnerStore_ReplacesWhatItHasRead(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "sandbox-system", Name: PartnersSecret, Labels: map[string]string{"app.kubernetes.io/part-of": "sandbox"}}}).Build()
	s := partnerStore{reader: c, writer: c, namespace: "sandbox-system"}
	data, version, err := s.Load(t.Context())
	if err != nil || len(data) != 0 {
		t.Fatalf("%v, %v", data, err)
	}
	if err := s.Save(t.Context(), map[string][]byte{"a": []byte("1")}, version); err != nil {
		t.Fatal(err)
	}
	// Another replica has read the same version.
	if err := s.Save(t.Context(), map[string][]byte{"a": []byte("2")}, version); !errors.Is(err, partners.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	var stored corev1.Secret
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "sandbox-system", Name: PartnersSecret}, &stored); err != nil {
		t.Fatal(err)
	}
	if string(stored.Data["a"]) != "1" || len(stored.Labels) != 1 {
		t.Errorf("stored %q with the labels %v", stored.Data, stored.Labels)
	}
	if _, _, err := (partnerStore{reader: c, writer: c, namespace: "elsewhere"}).Load(t.Context()); err == nil {
		t.Error("a missing Secret is no error")
	}
}
