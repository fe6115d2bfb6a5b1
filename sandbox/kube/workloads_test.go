package kube

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestPods_OfARelease(t *testing.T) {
	born := metav1.Unix(50, 0)
	at := func(p *corev1.Pod) { p.CreationTimestamp = born }
	k := fake.NewClientset(
		pod("ready", both(at, ready)), pod("crashing", both(at, waiting("CrashLoopBackOff", ""), waiting("", ""))), pod("going", both(at, ready, terminating)),
		pod("other", func(p *corev1.Pod) { p.Labels[ReleaseLabel] = "else" }),
		pod("elsewhere", func(p *corev1.Pod) { p.Namespace = "system" }),
	)
	w := Workloads{Client: &Client{Kube: k}, Namespace: "shop"}
	got, err := w.Pods(t.Context(), "thing")
	if err != nil {
		t.Fatal(err)
	}
	want := []telemetry.Pod{
		{Name: "crashing", Release: "thing", Namespace: "shop", Phase: "CrashLoopBackOff", Restarts: 4, Started: born.Time},
		{Name: "going", Release: "thing", Namespace: "shop", Phase: "Terminating", Started: born.Time},
		{Name: "ready", Release: "thing", Namespace: "shop", Phase: "Running", Ready: true, Started: born.Time},
	}
	byName := map[string]telemetry.Pod{}
	for _, p := range got {
		byName[p.Name] = p
	}
	if len(got) != len(want) {
		t.Errorf("%d pods, want %d", len(got), len(want))
	}
	for _, p := range want {
		if diff := cmp.Diff(p, byName[p.Name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Name, diff)
		}
	}
	if all, err := w.Pods(t.Context(), ""); err != nil || len(all) != 4 {
		t.Errorf("%d pods of every release, %v", len(all), err)
	}
}

func TestKill_RoundsGraceUp(t *testing.T) {
	for _, c := range []struct {
		sentence string
		grace    time.Duration
		seconds  int64
	}{
		{"no grace kills immediately", 0, 0},
		{"grace is in seconds", 20 * time.Second, 20},
		{"a fraction of a second is rounded up", 300 * time.Millisecond, 1},
	} {
		k := fake.NewClientset(pod("a", nil))
		w := Workloads{Client: &Client{Kube: k}, Namespace: "shop"}
		if err := w.Kill(t.Context(), "a", c.grace); err != nil {
			t.Fatalf("%s: %v", c.sentence, err)
		}
		deletion := k.Actions()[0].(clienttesting.DeleteActionImpl)
		if s := deletion.DeleteOptions.GracePeriodSeconds; s == nil || *s != c.seconds || deletion.Name != "a" || deletion.Namespace != "shop" {
			t.Errorf("%s: deleted with %+v", c.sentence, deletion)
		}
		fixture.WantError(t, w.Kill(t.Context(), "a", 0), "killing pod a", "not found")
	}
}

func TestScale_PatchesReplicas(t *testing.T) {
	k := fake.NewClientset()
	var patched string
	k.PrependReactor("get", "deployments", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "scale" {
			return false, nil, nil
		}
		return true, &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}}, nil
	})
	k.PrependReactor("patch", "deployments", func(a clienttesting.Action) (bool, runtime.Object, error) {
		p := a.(clienttesting.PatchAction)
		patched = p.GetNamespace() + "/" + p.GetName() + "/" + p.GetSubresource() + " " + string(p.GetPatch())
		if p.GetName() == "missing" {
			return true, nil, errors.New("no such deployment")
		}
		return true, &appsv1.Deployment{}, nil
	})
	w := Workloads{Client: &Client{Kube: k}, Namespace: "shop"}
	if n, err := w.Replicas(t.Context(), "thing"); err != nil || n != 3 {
		t.Errorf("%d replicas, %v", n, err)
	}
	if err := w.Scale(t.Context(), "thing", 5); err != nil {
		t.Error(err)
	}
	if want := `shop/thing/scale {"spec":{"replicas":5}}`; patched != want {
		t.Errorf("patched %s, want %s", patched, want)
	}
	fixture.WantError(t, w.Scale(t.Context(), "missing", 5), "scaling missing to 5", "no such deployment")
}

func TestLogs_LastLines(t *testing.T) {
	var asked string
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = w.Write([]byte("one\ntwo\n"))
	})
	got, err := c.Logs(t.Context(), "shop", "a", 2)
	if err != nil || got != "one\ntwo" || asked != "/api/v1/namespaces/shop/pods/a/log?tailLines=2" {
		t.Errorf("got %q from %s, %v", got, asked, err)
	}
}
