package release

import (
	"context"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"
)

// repairDrift brings the objects of a release into the state of its manifest, and reports whether it changed anything. Helm's upgrade does not do
// this: it compares two manifests, so it repairs neither fields that were added to an object nor custom resources.
func repairDrift(ctx context.Context, cfg *action.Configuration, name string, held []string) (bool, error) {
	last, err := cfg.Releases.Last(name)
	if err != nil {
		return false, err
	}
	found, err := drifted(ctx, cfg, last.Manifest, held)
	if err != nil {
		return false, err
	}
	for _, d := range found {
		if d.Missing {
			return false, fmt.Errorf("%s, right after it was created", d)
		}
		if err := d.repair(ctx, held); err != nil {
			return false, fmt.Errorf("repairing %s: %w", d.Object, err)
		}
	}
	return len(found) > 0, nil
}

// repair applies the manifest of an object. It first makes this program the owner of every field that foreign managers own, because an apply
// removes the fields that its manager owned before and that are not in the manifest. A controller may write the object at the same time, so it
// starts again after a conflict.
func (d Drift) repair(ctx context.Context, held []string) error {
	live := d.live
	return retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
		if live == nil {
			if live, err = get(ctx, d.info); err != nil {
				return err
			}
		}
		err = d.repairOnce(ctx, live, held)
		live = nil
		return err
	})
}

func (d Drift) repairOnce(ctx context.Context, live *unstructured.Unstructured, held []string) error {
	patch, err := takeOver(live)
	if err != nil {
		return err
	}
	if patch != nil {
		err = d.info.Client.Patch(types.JSONPatchType).NamespaceIfScoped(d.info.Namespace, d.info.Namespaced()).
			Resource(d.info.Mapping.Resource.Resource).Name(d.info.Name).Body(patch).Do(ctx).Error()
		if err != nil {
			return err
		}
	}
	wanted, err := manifestOf(d.info, held)
	if err != nil {
		return err
	}
	keepHelmsMarks(live, wanted)
	_, err = applyManifest(ctx, d.info, wanted, false)
	return err
}

// takeOver returns the JSON patch that transfers the fields of every foreign manager to this program. It is nil if there is none.
func takeOver(live *unstructured.Unstructured) ([]byte, error) {
	owners := sets.New[string]()
	object := live.DeepCopy()
	entries := object.GetManagedFields()
	for i, e := range entries {
		if e.Subresource == "" && !known(e.Manager) {
			owners.Insert(e.Manager)
			// The next call takes over only entries of this operation.
			entries[i].Operation = metav1.ManagedFieldsOperationUpdate
		}
	}
	if len(owners) == 0 {
		return nil, nil
	}
	object.SetManagedFields(entries)
	return csaupgrade.UpgradeManagedFieldsPatch(object, owners, fieldManager)
}

// keepHelmsMarks copies to wanted the metadata that Helm writes on every object and that is not in the manifests.
func keepHelmsMarks(live, wanted *unstructured.Unstructured) {
	wanted.SetAnnotations(marked(live.GetAnnotations(), wanted.GetAnnotations()))
	wanted.SetLabels(marked(live.GetLabels(), wanted.GetLabels()))
}

func marked(live, wanted map[string]string) map[string]string {
	for key, value := range live {
		if strings.HasPrefix(key, "meta.helm.sh/") || key == "app.kubernetes.io/managed-by" {
			if wanted == nil {
				wanted = map[string]string{}
			}
			wanted[key] = value
		}
	}
	return wanted
}
