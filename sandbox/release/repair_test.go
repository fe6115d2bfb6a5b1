package release

import (
	"testing"
)

// TestRepair_ObjectOfAnotherManager: a program of another name installed the release, so that name owns the fields, and Helm's annotations too.
func TestRepair_ObjectOfAnotherManager(t *testing.T) {
	for _, manifest := range []string{serviceYAML, deploymentYAML, configYAML} {
		api, list := newFakeAPI(t, manifest)
		entries := api.live.GetManagedFields()
		for i := range entries {
			entries[i].Manager = "earlier"
		}
		api.live.SetManagedFields(entries)
		if api.gvk.Kind == "Service" {
			api.edit("earlier", "None", "spec", "sessionAffinity")
		} else {
			api.edit("earlier", "x", "metadata", "annotations", "note")
		}
		w := newWorld()
		w.apply(t, spec(nil), Installed)
		w.kube.DummyResources = list
		found, err := drifted(t.Context(), w.cfg, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range found {
			if err := d.repair(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if again, err := drifted(t.Context(), w.cfg, "", nil); err != nil || len(again) > 0 {
			t.Errorf("%s: after the repair: %v, %v", api.gvk.Kind, again, err)
		}
		if api.live.GetAnnotations()["meta.helm.sh/release-name"] != "thing" {
			t.Errorf("%s: Helm's annotations are gone: %v", api.gvk.Kind, api.live.GetAnnotations())
		}
	}
}

func TestRepair_RetriesAfterAConflict(t *testing.T) {
	api, list := newFakeAPI(t, serviceYAML)
	w := newWorld()
	w.apply(t, spec(nil), Installed)
	w.kube.DummyResources = list
	api.edit("kubectl-edit", "ClientIP", "spec", "sessionAffinity")
	api.conflicts = 2
	w.apply(t, spec(nil), Repaired)
	if api.conflicts > 0 {
		t.Errorf("%d conflicts left: nothing was taken over", api.conflicts)
	}
	w.apply(t, spec(nil), Unchanged)
}
