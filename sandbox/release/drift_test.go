package release

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
	restfake "k8s.io/client-go/rest/fake"
)

const (
	serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: users, namespace: shop}
spec:
  selector: {app: users}
  ports: [{name: grpc, port: 8443, protocol: TCP, targetPort: grpc}]
`
	deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: users, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: users}}
  template:
    metadata: {labels: {app: users}}
    spec:
      containers:
        - {name: main, image: "users:dev", env: [{name: A, value: "1"}]}
`
	configYAML = `
apiVersion: v1
kind: ConfigMap
metadata: {name: users, namespace: shop}
data: {policy: "a: b"}
`
)

const secretYAML = `
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: shop}
`

func container(fields map[string]any) []any {
	c := map[string]any{"name": "main", "image": "users:dev", "env": []any{map[string]any{"name": "A", "value": "1"}}}
	for k, v := range fields {
		c[k] = v
	}
	return []any{c}
}

var containersPath = []string{"spec", "template", "spec", "containers"}

// TestDrift_IsFoundAndRepaired edits an object by hand. The changed fields must be found, and an apply must restore the manifest.
func TestDrift_IsFoundAndRepaired(t *testing.T) {
	for _, c := range []struct {
		sentence, manifest string
		change             func(*fakeAPI)
		changed, added     []string
	}{
		{"a changed selector of a Service", serviceYAML, func(a *fakeAPI) {
			a.edit("kubectl-edit", map[string]any{"app": "nothing"}, "spec", "selector")
		}, []string{"spec.selector.app"}, nil},
		{"an added key of a Service's selector", serviceYAML, func(a *fakeAPI) {
			a.edit("kubectl-edit", map[string]any{"app": "users", "more": "x"}, "spec", "selector")
		}, []string{"spec.selector.more"}, nil},
		{"an added field of a Service", serviceYAML, func(a *fakeAPI) { a.edit("kubectl-edit", "ClientIP", "spec", "sessionAffinity") }, nil, []string{"spec.sessionAffinity"}},
		{"scaled by hand", deploymentYAML, func(a *fakeAPI) { a.edit("kubectl", int64(1), "spec", "replicas") }, []string{"spec.replicas"}, nil},
		{"a changed image", deploymentYAML, func(a *fakeAPI) {
			a.edit("kubectl-set", container(map[string]any{"image": "other:1"}), containersPath...)
		}, []string{"spec.template.spec.containers[0].image"}, nil},
		{"an added variable", deploymentYAML, func(a *fakeAPI) {
			a.edit("kubectl-set", container(map[string]any{"env": []any{map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "B", "value": "2"}}}), containersPath...)
		}, nil, []string{"spec.template.spec.containers[name=main].env[name=B].name", "spec.template.spec.containers[name=main].env[name=B].value"}},
		{"an added container", deploymentYAML, func(a *fakeAPI) {
			a.edit("kubectl-patch", append(container(nil), map[string]any{"name": "side", "image": "x:1"}), containersPath...)
		}, nil, []string{"spec.template.spec.containers[name=side].image", "spec.template.spec.containers[name=side].name"}},
		{"an edited ConfigMap", configYAML, func(a *fakeAPI) { a.edit("kubectl-edit", "c: d", "data", "policy") }, []string{"data.policy"}, nil},
		{"an added key of a ConfigMap", configYAML, func(a *fakeAPI) { a.edit("kubectl-edit", "x", "data", "more") }, nil, []string{"data.more"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			api, list := newFakeAPI(t, c.manifest)
			w := newWorld()
			w.apply(t, spec(nil), Installed)
			w.kube.DummyResources = list
			before := api.live.DeepCopy()
			if found, err := drifted(t.Context(), w.cfg, "", nil); err != nil || len(found) != 0 {
				t.Fatalf("right after the installation: %v, %v", found, err)
			}
			w.apply(t, spec(nil), Unchanged)
			if api.writes != 0 {
				t.Fatalf("looking for drift wrote %d times", api.writes)
			}
			c.change(api)
			found, err := drifted(t.Context(), w.cfg, "", nil)
			if err != nil || len(found) != 1 {
				t.Fatalf("found %v, %v", found, err)
			}
			if !slices.Equal(found[0].Changed, c.changed) || !slices.Equal(found[0].Added, c.added) {
				t.Errorf("changed %q, want %q; added %q, want %q", found[0].Changed, c.changed, found[0].Added, c.added)
			}
			w.apply(t, spec(nil), Repaired)
			if differ := changed(before.Object, api.live.Object); len(differ) > 0 {
				t.Errorf("after the repair these differ: %q", differ)
			}
			w.apply(t, spec(nil), Unchanged)
		})
	}
}

func TestDrift_IgnoresOtherChanges(t *testing.T) {
	for _, c := range []struct {
		sentence, manifest string
		change             func(*fakeAPI)
		held               []string
	}{
		{"nothing changed", serviceYAML, func(*fakeAPI) {}, nil},
		{"a controller's own field", deploymentYAML, func(a *fakeAPI) { a.edit("kube-controller-manager", int64(7), "spec", "progressDeadlineSeconds") }, nil},
		{"a status", deploymentYAML, func(a *fakeAPI) { a.edit("kubectl", int64(1), "status", "replicas") }, nil},
		{"an annotation", serviceYAML, func(a *fakeAPI) { a.edit("kubectl-annotate", "note", "metadata", "annotations", "mine") }, nil},
		{"a rolling restart", deploymentYAML, func(a *fakeAPI) {
			a.edit("kubectl-rollout", "2030-01-02T03:04:05Z", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
		}, nil},
		{"the data of a Secret that its program fills", secretYAML, func(a *fakeAPI) { a.edit("control", "eA==", "data", "ca.key") }, nil},
		{"replicas that a run has changed", deploymentYAML, func(a *fakeAPI) { a.edit("kubectl", int64(0), "spec", "replicas") }, []string{"Deployment/users spec.replicas"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			api, list := newFakeAPI(t, c.manifest)
			c.change(api)
			w := newWorld()
			w.kube.DummyResources = list
			if found, err := drifted(t.Context(), w.cfg, "", c.held); err != nil || len(found) != 0 {
				t.Errorf("found %v, %v", found, err)
			}
		})
	}
}

// TestRepair_KeepsHeldFields changes the same object in another field. That field is repaired, and the replicas stay as the run left them.
func TestRepair_KeepsHeldFields(t *testing.T) {
	api, list := newFakeAPI(t, deploymentYAML)
	w := newWorld()
	w.apply(t, spec(nil), Installed)
	w.kube.DummyResources = list
	api.edit("sandbox", int64(0), "spec", "replicas")
	api.edit("kubectl-set", container(map[string]any{"image": "other:1"}), containersPath...)
	s := spec(nil)
	s.Held = []string{"Deployment/users spec.replicas"}
	w.apply(t, s, Repaired)
	replicas, _, _ := unstructured.NestedInt64(api.live.Object, "spec", "replicas")
	containers, _, _ := unstructured.NestedSlice(api.live.Object, containersPath...)
	if image := containers[0].(map[string]any)["image"]; replicas != 0 || image != "users:dev" {
		t.Errorf("%d replicas of %v", replicas, image)
	}
}

func TestDrifted_ReportsMissingObjects(t *testing.T) {
	api, list := newFakeAPI(t, serviceYAML)
	w := newWorld()
	w.kube.DummyResources = list
	api.live = nil
	found, err := drifted(t.Context(), w.cfg, "", nil)
	if err != nil || len(found) != 1 || found[0].String() != "Service/users is missing" {
		t.Errorf("found %v, %v", found, err)
	}
	w.kube.DummyResources, w.kube.BuildError = nil, errors.New("no matches for kind")
	if found, err = drifted(t.Context(), w.cfg, "", nil); err != nil || len(found) != 1 || !found[0].Missing {
		t.Errorf("a kind that is gone with its definition: %v, %v", found, err)
	}
	api, list = newFakeAPI(t, serviceYAML)
	api.broken = true
	w.kube.DummyResources, w.kube.BuildError = list, nil
	if found, err := drifted(t.Context(), w.cfg, "", nil); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("a cluster that refuses: %v, %v", found, err)
	}
}

func infoOf(client *restfake.RESTClient, r schema.GroupVersionResource, kind schema.GroupVersionKind, wanted *unstructured.Unstructured) *resource.Info {
	return &resource.Info{
		Client: client, Namespace: wanted.GetNamespace(), Name: wanted.GetName(), Object: wanted,
		Mapping: &meta.RESTMapping{Resource: r, GroupVersionKind: kind, Scope: meta.RESTScopeNamespace},
	}
}
