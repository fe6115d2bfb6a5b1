package kube

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestEnsureNamespace_AddsMissingLabels(t *testing.T) {
	k := fake.NewClientset()
	c := &Client{Kube: k}
	// The second call finds the namespace of an earlier version, which lacks a label.
	for _, labels := range []map[string]string{{"app.kubernetes.io/part-of": "sandbox"}, {"app.kubernetes.io/part-of": "sandbox", "sandbox.dev/faults": "allowed"}} {
		if err := c.EnsureNamespace(t.Context(), "shop", labels); err != nil {
			t.Fatal(err)
		}
	}
	ns, err := k.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil || ns.Labels["app.kubernetes.io/part-of"] != "sandbox" || ns.Labels["sandbox.dev/faults"] != "allowed" {
		t.Errorf("labels %v, %v", ns.Labels, err)
	}
	k.PrependReactor("create", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("forbidden") })
	fixture.WantError(t, c.EnsureNamespace(t.Context(), "other", nil), "creating namespace other", "forbidden")
}

func TestWaitForAPI_UntilReady(t *testing.T) {
	asked := 0
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 || r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if err := c.WaitForAPI(t.Context(), time.Minute); err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked = 0
	never := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 3 {
			cancel()
		}
		http.Error(w, "etcd is down", http.StatusInternalServerError)
	})
	err := never.WaitForAPI(ctx, time.Minute)
	fixture.WantError(t, err, "waiting for the cluster to answer", "etcd is down", "\ntry: sandbox doctor")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := never.WaitForAPI(t.Context(), time.Nanosecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its limit: %v", err)
	}
}
