package release

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	restfake "k8s.io/client-go/rest/fake"
	"sigs.k8s.io/yaml"
)

// fakeAPI is one object behind an API server that tracks field ownership with the same code as a real one.
type fakeAPI struct {
	t      *testing.T
	gvk    schema.GroupVersionKind
	fields *managedfields.FieldManager
	// live is nil if the object was deleted.
	live   *unstructured.Unstructured
	broken bool
	// conflicts is the number of JSON patches that are still refused, as if a controller had changed the object.
	conflicts int
	// writes counts the requests that changed the object.
	writes int
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// newFakeAPI returns an API server with the object of a manifest as Helm created it.
func newFakeAPI(t *testing.T, manifest string) (*fakeAPI, kube.ResourceList) {
	t.Helper()
	wanted := parse(t, manifest)
	a := &fakeAPI{t: t, gvk: wanted.GroupVersionKind()}
	a.fields = managedfieldstest.NewFakeFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), a.gvk)
	created := wanted.DeepCopy()
	created.SetAnnotations(map[string]string{"meta.helm.sh/release-name": "thing"})
	a.live = parse(t, "apiVersion: "+wanted.GetAPIVersion()+"\nkind: "+wanted.GetKind())
	a.update("sandbox", created)
	client := &restfake.RESTClient{
		NegotiatedSerializer: scheme.Codecs.WithoutConversion(), GroupVersion: a.gvk.GroupVersion(), Client: restfake.CreateHTTPClient(a.serve),
	}
	plural, _ := meta.UnsafeGuessKindToResource(a.gvk)
	return a, kube.ResourceList{infoOf(client, plural, a.gvk, wanted)}
}

// update changes the object as a manager that sends the whole object, such as `kubectl edit`.
func (a *fakeAPI) update(manager string, to *unstructured.Unstructured) {
	a.t.Helper()
	changed, err := a.fields.Update(a.live, to, manager)
	if err != nil {
		a.t.Fatal(err)
	}
	a.live = changed.(*unstructured.Unstructured)
}

// edit changes one field of the object as a manual edit does.
func (a *fakeAPI) edit(manager string, value any, path ...string) {
	a.t.Helper()
	to := a.live.DeepCopy()
	if err := unstructured.SetNestedField(to.Object, value, path...); err != nil {
		a.t.Fatal(err)
	}
	a.update(manager, to)
}

func (a *fakeAPI) serve(r *http.Request) (*http.Response, error) {
	if a.broken {
		return reply(http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"message":"failed calling webhook"}`), nil
	}
	if a.live == nil {
		return reply(http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`), nil
	}
	next := a.live
	switch {
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "application/apply-patch+yaml":
		body, _ := io.ReadAll(r.Body)
		q := r.URL.Query()
		if q.Get("force") != "true" {
			a.t.Error("an apply without force fails where a field has another owner")
		}
		applied, err := a.fields.Apply(a.live, parse(a.t, string(body)), q.Get("fieldManager"), true)
		if err != nil {
			return nil, err
		}
		// Nothing changed.
		if applied == nil {
			applied = a.live
		}
		next = applied.(*unstructured.Unstructured)
		if q.Get("dryRun") == "" {
			a.live, a.writes = next, a.writes+1
		}
	case r.Method == http.MethodPatch && a.conflicts > 0:
		a.conflicts--
		return reply(http.StatusConflict, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`), nil
	case r.Method == http.MethodPatch:
		body, _ := io.ReadAll(r.Body)
		operations, err := jsonpatch.DecodePatch(bytes.ReplaceAll(body, []byte(`{"op":"replace","path":"/metadata/resourceVersion","value":""}`), []byte(`{"op":"test","path":"/kind","value":"`+a.gvk.Kind+`"}`)))
		if err != nil {
			return nil, err
		}
		before, _ := a.live.MarshalJSON()
		after, err := operations.Apply(before)
		if err != nil {
			return nil, err
		}
		next = parse(a.t, string(after))
		a.live, a.writes = next, a.writes+1
	}
	body, err := next.MarshalJSON()
	return reply(http.StatusOK, string(body)), err
}

func reply(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}
