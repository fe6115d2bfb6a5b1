package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/grpc-sandbox/sandbox/charts"
)

// Drift describes one object that differs from the manifest of its release.
type Drift struct {
	// Object is the kind and name of the object, such as Service/userservice.
	Object string
	// Missing is true if the object was deleted.
	Missing bool
	// Changed are the fields of the manifest that have another value, such as spec.selector.app.
	Changed []string
	// Added are the fields under spec or data that were set by a field manager other than us and the controllers.
	Added []string

	info *resource.Info
	live *unstructured.Unstructured
}

// String names the object and says what differs.
func (d Drift) String() string {
	if d.Missing {
		return d.Object + " is missing"
	}
	var parts []string
	if len(d.Changed) > 0 {
		parts = append(parts, "changed "+some(d.Changed))
	}
	if len(d.Added) > 0 {
		parts = append(parts, "added "+some(d.Added))
	}
	return d.Object + ": " + strings.Join(parts, "; ")
}

// some returns the first few elements of a list as text.
func some(all []string) string {
	const few = 3
	if len(all) <= few {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:few], ", "), len(all)-few)
}

// driftWorkers is how many objects are compared concurrently.
const driftWorkers = 16

// Drifted compares the objects of a release with its newest manifest. Fields in held, written as "Deployment/userservice spec.replicas", are
// ignored: a running scenario has changed them and will restore them. A release that is not installed has no drift.
func Drifted(ctx context.Context, kubeconfig, namespace, name string, held []string) ([]Drift, error) {
	cfg, err := configuration(kubeconfig, namespace)
	if err != nil {
		return nil, fmt.Errorf("comparing release %s: %w", name, err)
	}
	drift, err := until(ctx, func() ([]Drift, error) {
		last, err := cfg.Releases.Last(name)
		if errors.Is(err, driver.ErrReleaseNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return drifted(ctx, cfg, last.Manifest, held)
	})
	if err != nil {
		return nil, fmt.Errorf("comparing release %s: %w", name, err)
	}
	return drift, nil
}

// drifted asks the API server, for each object of a manifest, what a forced server-side apply would change. It is a dry run.
func drifted(ctx context.Context, cfg *action.Configuration, manifest string, held []string) ([]Drift, error) {
	list, err := cfg.KubeClient.Build(strings.NewReader(manifest), false)
	if err != nil {
		return []Drift{{Object: "a kind of object", Missing: true}}, nil //nolint:nilerr // the cluster no longer knows the kind: its CRD is gone
	}
	all := make([]*Drift, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(driftWorkers)
	for i, info := range list {
		group.Go(func() (err error) {
			all[i], err = compare(ctx, info, held)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var found []Drift
	for _, d := range all {
		if d != nil {
			found = append(found, *d)
		}
	}
	return found, nil
}

// compare returns nil for an object that matches its manifest.
func compare(ctx context.Context, info *resource.Info, held []string) (*Drift, error) {
	d := &Drift{Object: info.Mapping.GroupVersionKind.Kind + "/" + info.Name, info: info}
	live, err := get(ctx, info)
	if apierrors.IsNotFound(err) {
		d.Missing = true
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, nil
	}
	wanted, err := manifestOf(info, held)
	if err != nil {
		return nil, err
	}
	keepHelmsMarks(live, wanted)
	merged, err := applyManifest(ctx, info, wanted, true)
	if err != nil {
		return nil, fmt.Errorf("comparing %s: %w", d.Object, err)
	}
	d.live = live
	d.Changed = changed(live.Object, merged.Object)
	if d.Added, err = added(live, merged); err != nil {
		return nil, fmt.Errorf("comparing %s: %w", d.Object, err)
	}
	filled := filledByItsProgram(wanted)
	d.Added = slices.DeleteFunc(d.Added, func(field string) bool {
		return slices.Contains(held, d.Object+" "+field) || filled && strings.HasPrefix(field, "data.")
	})
	if len(d.Changed)+len(d.Added) == 0 {
		return nil, nil
	}
	return d, nil
}

// filledByItsProgram reports whether an object is a Secret that a chart creates empty, for a program of the cluster that stores its data there.
func filledByItsProgram(wanted *unstructured.Unstructured) bool {
	data, _, _ := unstructured.NestedMap(wanted.Object, "data")
	return wanted.GetKind() == "Secret" && len(data) == 0
}

// get reads an object. For a CustomResourceDefinition it only checks that it exists, and returns nil: reading and applying the large ones takes the
// API server as long as everything else, and they belong to cert-manager's chart.
func get(ctx context.Context, info *resource.Info) (*unstructured.Unstructured, error) {
	request := info.Client.Get().NamespaceIfScoped(info.Namespace, info.Namespaced()).Resource(info.Mapping.Resource.Resource).Name(info.Name)
	if info.Mapping.GroupVersionKind.Kind == "CustomResourceDefinition" {
		return nil, request.SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").Do(ctx).Error()
	}
	return decode(request.SetHeader("Accept", "application/json").Do(ctx))
}

func decode(result rest.Result) (*unstructured.Unstructured, error) {
	// Unlike the error of Raw, this one has the message of the server.
	if err := result.Error(); err != nil {
		return nil, err
	}
	data, err := result.Raw()
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	return u, u.UnmarshalJSON(data)
}

// manifestOf returns an object of the manifest without the fields in held.
func manifestOf(info *resource.Info, held []string) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(info.Object)
	if err != nil {
		return nil, err
	}
	u := (&unstructured.Unstructured{Object: m}).DeepCopy()
	for _, h := range held {
		object, field, _ := strings.Cut(h, " ")
		if object == info.Mapping.GroupVersionKind.Kind+"/"+info.Name {
			unstructured.RemoveNestedField(u.Object, strings.Split(field, ".")...)
		}
	}
	return u, nil
}

// applyManifest sends a forced server-side apply and returns the resulting object.
func applyManifest(ctx context.Context, info *resource.Info, wanted *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	body, err := wanted.MarshalJSON()
	if err != nil {
		return nil, err
	}
	force := true
	options := &metav1.PatchOptions{FieldManager: fieldManager, Force: &force}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return decode(info.Client.Patch(types.ApplyPatchType).NamespaceIfScoped(info.Namespace, info.Namespaced()).
		Resource(info.Mapping.Resource.Resource).Name(info.Name).VersionedParams(options, metav1.ParameterCodec).
		SetHeader("Accept", "application/json").Body(body).Do(ctx))
}

// changed lists the fields in which an object differs from the result of applying its manifest, without status and the metadata that the API server
// maintains.
func changed(live, merged map[string]any) []string {
	var paths []string
	walk(live, merged, "", func(path string) { paths = append(paths, path) })
	return slices.DeleteFunc(paths, func(p string) bool {
		for _, own := range []string{"metadata.managedFields", "metadata.resourceVersion", "metadata.generation", "status"} {
			if p == own || strings.HasPrefix(p, own+".") || strings.HasPrefix(p, own+"[") {
				return true
			}
		}
		return false
	})
}

func walk(a, b any, path string, differ func(string)) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			for _, key := range keys(x, y) {
				walk(x[key], y[key], strings.TrimPrefix(path+"."+key, "."), differ)
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				walk(x[i], y[i], fmt.Sprintf("%s[%d]", path, i), differ)
			}
			return
		}
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		differ(path)
	}
}

func keys(a, b map[string]any) []string {
	var all []string
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// restartedAt is the field by which `kubectl rollout restart` restarts pods. It changes nothing else.
const restartedAt = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt"

// added lists the fields under spec and data that only foreign managers own. They are not in the manifest, so applying it does not remove them.
func added(live, merged *unstructured.Unstructured) ([]string, error) {
	foreign, ours := &fieldpath.Set{}, &fieldpath.Set{}
	for _, e := range live.GetManagedFields() {
		if e.Subresource == "" && !known(e.Manager) {
			set, err := fieldsOf(e)
			if err != nil {
				return nil, err
			}
			foreign = foreign.Union(set)
		}
	}
	for _, e := range slices.Concat(merged.GetManagedFields(), live.GetManagedFields()) {
		if e.Subresource == "" && known(e.Manager) {
			set, err := fieldsOf(e)
			if err != nil {
				return nil, err
			}
			ours = ours.Union(set)
		}
	}
	var paths []string
	foreign.Leaves().Difference(ours).Iterate(func(p fieldpath.Path) {
		text := strings.ReplaceAll(strings.TrimPrefix(p.String(), "."), "\"", "")
		if (strings.HasPrefix(text, "spec.") || strings.HasPrefix(text, "data.") || strings.HasPrefix(text, "binaryData.")) && text != restartedAt {
			paths = append(paths, text)
		}
	})
	slices.Sort(paths)
	return paths, nil
}

func fieldsOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if e.FieldsV1 == nil {
		return set, nil
	}
	return set, set.FromJSON(e.FieldsV1.GetRawReader())
}

// fieldManager is the name under which this program owns fields.
const fieldManager = "sandbox"

// known reports whether a manager of fields is this program or a controller of the cluster, whose changes under spec are not drift.
func known(manager string) bool {
	switch manager {
	case fieldManager, "helm", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver":
		return true
	}
	return slices.ContainsFunc(controllers(), func(prefix string) bool { return strings.HasPrefix(manager, prefix) })
}

// controllers are the prefixes of the managers of releases that change objects of others.
var controllers = sync.OnceValue(charts.Controllers)
