package release

import (
	"strings"

	"helm.sh/helm/v3/pkg/action"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// asInstalled says whether every object of a manifest is in the cluster, with what people change by hand as it was.
func asInstalled(cfg *action.Configuration, manifest string) (bool, error) {
	list, err := cfg.KubeClient.Build(strings.NewReader(manifest), false)
	if err != nil {
		return false, nil //nolint:nilerr // a kind that the cluster no longer knows means that its CRD is gone: repair
	}
	for _, info := range list {
		wanted := info.Object
		if err := info.Get(); apierrors.IsNotFound(err) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		same, err := sameForPeople(wanted, info.Object)
		if !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// sameForPeople compares what `kubectl scale` and `kubectl edit configmap` change. Of all else the API server keeps its own form, which need not
// be the manifest's.
func sameForPeople(wanted, there runtime.Object) (bool, error) {
	w, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return false, err
	}
	t, err := runtime.DefaultUnstructuredConverter.ToUnstructured(there)
	if err != nil {
		return false, err
	}
	if want, has, _ := unstructured.NestedInt64(w, "spec", "replicas"); has {
		if got, _, _ := unstructured.NestedInt64(t, "spec", "replicas"); got != want {
			return false, nil
		}
	}
	if w["kind"] != "ConfigMap" {
		return true, nil
	}
	want, _, _ := unstructured.NestedStringMap(w, "data")
	got, _, _ := unstructured.NestedStringMap(t, "data")
	for key, text := range want { // a key that somebody added stays: an upgrade would not remove it
		if got[key] != text {
			return false, nil
		}
	}
	return true, nil
}
