package kube

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

func TestNotReady(t *testing.T) {
	for _, c := range []struct {
		sentence string
		change   func(*appsv1.Deployment)
		want     string // empty: nothing is lacking
	}{
		{"all pods are new and ready", nil, ""},
		{"more pods are ready than wanted", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 4 }, ""},
		{"a pod is not ready", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 2 }, "thing has 2 of 3 pods ready"},
		{"the controller has not seen the change yet", func(d *appsv1.Deployment) { d.Generation = 3 }, "thing has 3 of 3 pods ready"},
		{"a pod is still an old one", func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 2 }, "thing has 3 of 3 pods ready"},
		{"an old pod is still there beside the new ones", func(d *appsv1.Deployment) { d.Status.Replicas = 4 }, "thing has 3 of 3 pods ready"},
		{"no number of replicas means one", func(d *appsv1.Deployment) { d.Spec.Replicas, d.Status.ReadyReplicas = nil, 0 }, "thing has 0 of 1 pods ready"},
		{"a deployment of no pods serves nobody", func(d *appsv1.Deployment) {
			none := int32(0)
			d.Spec.Replicas, d.Status = &none, appsv1.DeploymentStatus{ObservedGeneration: 2}
		}, "thing has 0 of 0 pods ready: somebody scaled it to 0"},
	} {
		client := &Client{Kube: fake.NewClientset(deployment(c.change))}
		got, of, err := client.NotReady(t.Context(), "shop", ReleaseLabel+"=thing")
		if err != nil || of != 1 {
			t.Fatalf("%s: %d deployments, %v", c.sentence, of, err)
		}
		if text := join(got); text != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, text, c.want)
		}
	}
	lacking := deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
	if got, of, err := (&Client{Kube: fake.NewClientset(lacking)}).NotReady(t.Context(), "shop", ReleaseLabel+"=other"); err != nil || len(got) != 0 || of != 0 {
		t.Errorf("another release is not asked for: %v, %v", got, err)
	}
}

func join(all []NotReady) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, "; ")
}

func TestWhy(t *testing.T) {
	unschedulable := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes: insufficient memory"}}
	}
	ended := func(code int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}}
		}
	}
	inInit := func(p *corev1.Pod) {
		waiting("CrashLoopBackOff", "")(p)
		p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses, nil
	}
	warning := func(reason, message string, at int64) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: reason}, InvolvedObject: corev1.ObjectReference{Name: "a"},
			Type: corev1.EventTypeWarning, Reason: reason, Message: message, LastTimestamp: metav1.Unix(at, 0),
		}
	}
	const logged = "; last log line: fake logs" // what the fake client answers
	for _, c := range []struct {
		sentence string
		objects  []runtime.Object
		want     string
	}{
		{"a crash loop comes with the last log line", []runtime.Object{pod("a", waiting("CrashLoopBackOff", "back-off 5s"))}, "pod a: CrashLoopBackOff back-off 5s" + logged},
		{"an image that cannot be pulled", []runtime.Object{pod("a", waiting("ImagePullBackOff", "not found"))}, "pod a: ImagePullBackOff not found" + logged},
		{"a container that ended badly", []runtime.Object{pod("a", ended(3))}, "pod a: container main ended with exit code 3" + logged},
		{"a container that ended well is no trouble", []runtime.Object{pod("a", ended(0))}, ""},
		{"an init container in trouble counts", []runtime.Object{pod("a", inInit)}, "pod a: CrashLoopBackOff" + logged},
		{"no room on the node", []runtime.Object{pod("a", unschedulable)}, "pod a: cannot be scheduled: 0/1 nodes: insufficient memory"},
		{"a warning, when the pod itself says nothing", []runtime.Object{pod("a", waiting("ContainerCreating", "")), warning("FailedMount", "no secret", 1)}, "pod a: FailedMount: no secret"},
		{"of two warnings the later one", []runtime.Object{pod("a", nil), warning("Newer", "x", 2), warning("Older", "y", 1)}, "pod a: Newer: x"},
		{"the container's state counts before a warning", []runtime.Object{pod("a", waiting("CrashLoopBackOff", "")), warning("Unhealthy", "x", 1)}, "pod a: CrashLoopBackOff" + logged},
		{"a pod that only starts says nothing", []runtime.Object{pod("a", waiting("ContainerCreating", ""))}, ""},
		{"a pod that is ready is not asked", []runtime.Object{pod("a", both(ready, waiting("CrashLoopBackOff", "")))}, ""},
		{"a pod that goes away is not asked", []runtime.Object{pod("a", both(terminating, waiting("CrashLoopBackOff", "")))}, ""},
		{"the first pod with something to say speaks", []runtime.Object{pod("a", waiting("ContainerCreating", "")), pod("b", waiting("CrashLoopBackOff", ""))}, "pod b: CrashLoopBackOff" + logged},
		{"another release's pod is not asked", []runtime.Object{pod("a", func(p *corev1.Pod) {
			p.Labels[ReleaseLabel] = "other"
			waiting("CrashLoopBackOff", "")(p)
		})}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			lacking := deployment(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 })
			k := fake.NewClientset(append(c.objects, lacking)...)
			got, _, err := (&Client{Kube: k}).NotReady(t.Context(), "shop", "")
			if err != nil || len(got) != 1 || got[0].Ready != 1 || got[0].Want != 3 || got[0].Why != c.want {
				t.Errorf("got %+v, %v; want why %q", got, err, c.want)
			}
			for _, a := range k.Actions() { // the fake does not filter events, and has one log for all containers
				if of, ok := a.(clienttesting.GenericAction); ok && a.GetSubresource() == "log" && of.GetValue().(*corev1.PodLogOptions).Container != "main" {
					t.Errorf("asked for the log of %+v", of.GetValue())
				}
				if list, ok := a.(clienttesting.ListAction); ok && a.GetResource().Resource == "events" {
					fields := list.GetListRestrictions().Fields.String()
					if !strings.Contains(fields, "involvedObject.name=") || !strings.Contains(fields, "type=Warning") {
						t.Errorf("asked for events %q", fields)
					}
				}
			}
		})
	}
}

func TestPods(t *testing.T) {
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

func TestKill(t *testing.T) {
	for _, c := range []struct {
		sentence string
		grace    time.Duration
		seconds  int64
	}{
		{"no grace kills at once", 0, 0},
		{"grace is in seconds", 20 * time.Second, 20},
		{"a short grace is not none", 300 * time.Millisecond, 1},
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

func TestScale(t *testing.T) {
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

func TestReadyPod(t *testing.T) {
	for _, c := range []struct {
		sentence string
		pods     []runtime.Object
		want     string
		fails    string
	}{
		{"the first by name of those that are ready", []runtime.Object{pod("c", ready), pod("b", ready), pod("a", nil)}, "b", ""},
		{"one that goes away does not count", []runtime.Object{pod("a", both(ready, terminating)), pod("b", ready)}, "b", ""},
		{"none that is ready names the remedy", []runtime.Object{pod("a", nil), pod("b", both(ready, terminating))}, "", "finding a pod of thing: none of 2 is ready\ntry: sandbox status"},
		{"no pod at all names the remedy", nil, "", "none of 0 is ready\ntry: sandbox status"},
	} {
		got, err := (&Client{Kube: fake.NewClientset(c.pods...)}).readyPod(t.Context(), "shop", "thing")
		if got != c.want || (err == nil) != (c.fails == "") || (err != nil && !strings.Contains(fixture.ErrorText(err), c.fails)) {
			t.Errorf("%s: got %q, %v", c.sentence, got, err)
		}
	}
}

func TestEnsureNamespace(t *testing.T) {
	k := fake.NewClientset()
	c := &Client{Kube: k}
	for range 2 {
		if err := c.EnsureNamespace(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	ns, err := k.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil || ns.Labels["app.kubernetes.io/part-of"] != "sandbox" {
		t.Errorf("labels %v, %v", ns.Labels, err)
	}
	k.PrependReactor("create", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("forbidden") })
	fixture.WantError(t, c.EnsureNamespace(t.Context(), "other"), "making namespace other", "forbidden")
}

// connect returns a client of an API server that answers with handle.
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

func TestWaitForAPI(t *testing.T) {
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

func TestLogs(t *testing.T) {
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

func TestConnectNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	_, err := Connect(file)
	fixture.WantError(t, err, "reading "+file)
}
