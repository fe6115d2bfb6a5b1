package operator

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// newPlane returns a plane of a process that is not started: nothing subscribes.
func newPlane(t *testing.T) *control.Plane {
	t.Helper()
	process, err := governance.Start(t.Context(), io.Discard, governance.Config{Service: "control", TLSDir: "off"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Close() })
	return control.Register(t.Context(), process, grpc.NewServer(), control.Config{Identify: func(context.Context) (ads.Identity, error) { return ads.Identity{}, nil }})
}

func meta1(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1, CreationTimestamp: metav1.Now()}
}

const selector = `"selector":{"matchLabels":{"app.kubernetes.io/name":"users"}}`

func trafficPolicy(name, more string) *api.TrafficPolicy {
	return &api.TrafficPolicy{ObjectMeta: meta1(name), Spec: json.RawMessage(`{` + selector + more + `}`)}
}

func fault(name, more string) *api.Fault {
	return &api.Fault{ObjectMeta: meta1(name), Spec: json.RawMessage(`{` + selector + more + `}`)}
}

// writing returns a writer of a fake cluster with objects, whose store has them too.
func writing(t *testing.T, objects ...client.Object) (writer, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&api.TrafficPolicy{}, &api.Fault{}).Build()
	log := slog.New(slog.DiscardHandler)
	plane := newPlane(t)
	plane.Store.Permit("shop", true)
	for _, o := range objects {
		setPolicy(plane.Store, o, log)
		setFault(plane.Store, o, log)
	}
	return writer{client: c, plane: plane, log: log, written: map[string]time.Time{}}, c
}

func TestWriter_PolicyStatus(t *testing.T) {
	w, c := writing(t, trafficPolicy("good", `,"maxRequestsPerSecond":5`), trafficPolicy("bad", `,"methods":[{"deadline":{"timeout":"0s"}}]`))
	w.all(t.Context())
	for name, want := range map[string][2]string{"good": {"True Valid ", "False NoTarget the selector selects no pod that receives configuration"},
		"bad": {"False Invalid reading the policy: methods[0].deadline.timeout: must be from 1ms", "False Invalid the specification is not valid"}} {
		var p api.TrafficPolicy
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, &p); err != nil {
			t.Fatal(err)
		}
		for i, kind := range []string{api.Accepted, api.Programmed} {
			got := meta.FindStatusCondition(p.Status.Conditions, kind)
			if got == nil || !strings.HasPrefix(string(got.Status)+" "+got.Reason+" "+got.Message, want[i]) || got.ObservedGeneration != 1 {
				t.Errorf("%s: %s is %+v, want %q", name, kind, got, want[i])
			}
		}
	}
}

func TestWriter_OneWritePerSecond(t *testing.T) {
	w, c := writing(t, trafficPolicy("p", `,"maxRequestsPerSecond":5`))
	if w.all(t.Context()) {
		t.Error("the first write was postponed")
	}
	w.plane.Store.SetPod(compile.Pod{Namespace: "shop", Name: "users-1", Account: "users", Labels: map[string]string{compile.ServiceLabel: "users"}})
	if !w.all(t.Context()) {
		t.Error("the second write was not postponed")
	}
	w.written["uid-p"] = time.Now().Add(-writeInterval)
	if w.all(t.Context()) {
		t.Error("the second write was postponed again")
	}
	var p api.TrafficPolicy
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "p"}, &p); err != nil || p.Status.Verdicts.Pending != 1 {
		t.Errorf("status %+v, %v", p.Status, err)
	}
}

func TestWriter_FinalizerOfAFault(t *testing.T) {
	w, c := writing(t, fault("slow", `,"delay":{"fixed":"1s"},"duration":"1h"`))
	key := client.ObjectKey{Namespace: "shop", Name: "slow"}
	read := func() (f api.Fault, err error) {
		err = c.Get(t.Context(), key, &f)
		return f, err
	}
	w.all(t.Context())
	f, err := read()
	if err != nil || len(f.Finalizers) != 1 || f.Status.Phase != api.FaultPending {
		t.Fatalf("%v, %+v, %v", f.Finalizers, f.Status, err)
	}
	// Its target is not connected, so it may still inject the fault, until the duration is over.
	w.plane.Store.SetPod(compile.Pod{Namespace: "shop", Name: "users-1", Account: "users", Labels: map[string]string{compile.ServiceLabel: "users"}})
	if err := c.Delete(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	w.written = map[string]time.Time{}
	w.all(t.Context())
	if f, err := read(); err != nil || len(f.Finalizers) != 1 || f.Status.Phase != api.FaultClearing {
		t.Fatalf("after the deletion: %v, %+v, %v", f.Finalizers, f.Status, err)
	}
	w.plane.Store.RemovePod("shop", "users-1")
	w.written = map[string]time.Time{}
	w.all(t.Context())
	if _, err := read(); !apierrors.IsNotFound(err) {
		t.Errorf("without its target: %v", err)
	}
}

func TestWriter_NamespaceWithoutFaults(t *testing.T) {
	w, c := writing(t, fault("slow", `,"delay":{"fixed":"1s"},"duration":"1h"`))
	w.plane.Store.Permit("shop", false)
	w.all(t.Context())
	var f api.Fault
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "slow"}, &f); err != nil || f.Status.Phase != api.FaultRejected || len(f.Finalizers) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestSetPod_ReadyAndGone(t *testing.T) {
	store := control.NewStore()
	pod := &corev1.Pod{ObjectMeta: meta1("users-1"), Spec: corev1.PodSpec{ServiceAccountName: "users"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	setPod(store, pod)
	if got := store.Pods("shop")["users-1"]; !got.Ready || got.Account != "users" {
		t.Errorf("%+v", got)
	}
	now := metav1.Now()
	pod.DeletionTimestamp = &now
	setPod(store, pod)
	if got := store.Pods("shop")["users-1"]; got.Ready {
		t.Error("a pod that is being deleted gets a share of the limit")
	}
	pod.Status.Phase = corev1.PodSucceeded
	setPod(store, pod)
	if got := store.Pods("shop"); len(got) != 0 {
		t.Errorf("a pod that has ended: %+v", got)
	}
}

// TestSlimPod_KeepsWhatTheStoreNeeds: a pod is the same in the store, whether it was slimmed before or not.
func TestSlimPod_KeepsWhatTheStoreNeeds(t *testing.T) {
	whole := &corev1.Pod{ObjectMeta: meta1("users-1"), Spec: corev1.PodSpec{ServiceAccountName: "users", Volumes: []corev1.Volume{{Name: "v"}},
		Containers: []corev1.Container{{Name: "users", Image: "i", Ports: []corev1.ContainerPort{{Name: "grpc", ContainerPort: 8443}}}, {Name: "other", Image: "i"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	slim, err := slimPod(whole.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if got := slim.(*corev1.Pod); len(got.Spec.Volumes) != 0 || len(got.Spec.Containers) != 1 || got.Spec.Containers[0].Image != "" {
		t.Errorf("not slim: %+v", got.Spec)
	}
	var stored []compile.Pod
	for _, p := range []*corev1.Pod{whole, slim.(*corev1.Pod)} {
		store := control.NewStore()
		setPod(store, p)
		stored = append(stored, store.Pods("shop")["users-1"])
	}
	if diff := cmp.Diff(stored[0], stored[1]); diff != "" || stored[0].IP != "10.0.0.1" || stored[0].Port != 8443 {
		t.Errorf("in the store (-whole +slim):\n%s\n%+v", diff, stored[1])
	}
}

// TestRBAC_LeastVerbs lists everything that the control plane may do.
func TestRBAC_LeastVerbs(t *testing.T) {
	text, err := os.ReadFile("../../../charts/testdata/control.golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(document), &role); err != nil || role.Kind != "ClusterRole" && role.Kind != "Role" {
			continue
		}
		for _, r := range role.Rules {
			got = append(got, role.Kind+" "+strings.Join(r.Resources, ",")+" "+strings.Join(r.ResourceNames, ",")+": "+strings.Join(r.Verbs, ","))
		}
	}
	want := []string{
		"ClusterRole pods,namespaces : list,watch", "ClusterRole deployments : list,watch", "ClusterRole certificates : list,watch",
		"ClusterRole trafficpolicies : list,watch", "ClusterRole faults : list,watch,patch,delete",
		"ClusterRole trafficpolicies/status,faults/status : patch", "Role leases : create", "Role leases sandbox-control: get,update", "Role events : create,patch",
		"Role secrets sandbox-partners: get,list,watch,update",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
