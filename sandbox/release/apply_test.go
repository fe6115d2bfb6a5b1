package release

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	kubefake "helm.sh/helm/v3/pkg/kube/fake"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/grpc-sandbox/sandbox/charts"
)

func thing() *chart.Chart {
	return &chart.Chart{
		Metadata: &chart.Metadata{APIVersion: "v2", Name: "thing", Version: "1.0.0"},
		Values:   map[string]any{"size": 1.0},
		Templates: []*chart.File{
			{Name: "templates/a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {size: {{ .Values.size | quote }}}\n")},
			{Name: "templates/b.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")},
		},
		Files: []*chart.File{{Name: "README.md", Data: []byte("read")}},
	}
}

func spec(values map[string]any) Spec {
	return Spec{Name: "thing", Namespace: "shop", Chart: thing(), Values: values}
}

// world is a cluster with Helm's records.
type world struct {
	cfg  *action.Configuration
	kube *kubefake.FailingKubeClient
}

func newWorld() world {
	memory := driver.NewMemory()
	memory.SetNamespace("shop")
	k := &kubefake.FailingKubeClient{PrintingKubeClient: kubefake.PrintingKubeClient{Out: io.Discard, LogOutput: io.Discard}}
	return world{kube: k, cfg: &action.Configuration{
		Releases: storage.Init(memory), KubeClient: k, Capabilities: chartutil.DefaultCapabilities, Log: func(string, ...any) {},
	}}
}

func (w world) apply(t *testing.T, s Spec, want Outcome) {
	t.Helper()
	got, err := applyWhole(t.Context(), w.cfg, s)
	if err != nil || got != want {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func (w world) last(t *testing.T) *release.Release {
	t.Helper()
	r, err := w.cfg.Releases.Last("thing")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// leave gives the newest record the status that a kill would have left.
func (w world) leave(t *testing.T, status release.Status) {
	t.Helper()
	r := w.last(t)
	r.SetStatus(status, "")
	if err := w.cfg.Releases.Update(r); err != nil {
		t.Fatal(err)
	}
}

func TestApply_FromEveryState(t *testing.T) {
	small, large := spec(map[string]any{"size": 1.0}), spec(map[string]any{"size": 2.0})
	otherChart := spec(map[string]any{"size": 1.0})
	otherChart.Chart.Templates[1].Data = append(otherChart.Chart.Templates[1].Data, "data: {x: y}\n"...)
	for _, c := range []struct {
		sentence string
		before   func(*testing.T, world)
		spec     Spec
		want     Outcome
		revision int
	}{
		{"a missing release is installed", func(*testing.T, world) {}, small, Installed, 1},
		{"the same spec changes nothing", func(t *testing.T, w world) { w.apply(t, small, Installed) }, small, Unchanged, 1},
		{"other values are an upgrade", func(t *testing.T, w world) { w.apply(t, small, Installed) }, large, Upgraded, 2},
		{"another chart is an upgrade", func(t *testing.T, w world) { w.apply(t, small, Installed) }, otherChart, Upgraded, 2},
		{"values that were reverted are an upgrade", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.apply(t, large, Upgraded)
		}, small, Upgraded, 3},
		{"after an upgrade the same spec changes nothing", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.apply(t, large, Upgraded)
		}, large, Unchanged, 2},
		{"a killed install is repaired", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.leave(t, release.StatusPendingInstall)
		}, small, Repaired, 2},
		{"a killed upgrade is repaired", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.apply(t, large, Upgraded)
			w.leave(t, release.StatusPendingUpgrade)
		}, large, Repaired, 3},
		{"a killed rollback is repaired", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.leave(t, release.StatusPendingRollback)
		}, small, Repaired, 2},
		{"a failed release is repaired", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.leave(t, release.StatusFailed)
		}, small, Repaired, 2},
		{"an install that the cluster refused is repaired", func(t *testing.T, w world) {
			api, list := newFakeAPI(t, configYAML)
			api.live = nil
			w.kube.DummyResources, w.kube.CreateError = list, errors.New("refused")
			if _, err := apply(t.Context(), w.cfg, small); err == nil || w.last(t).Info.Status != release.StatusFailed {
				t.Fatalf("the refused install is %s: %v", w.last(t).Info.Status, err)
			}
			w.kube.DummyResources, w.kube.CreateError = nil, nil
		}, small, Repaired, 2},
		{"a killed uninstall is installed again", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.leave(t, release.StatusUninstalling)
		}, small, Repaired, 1},
		{"a killed uninstall with a history is installed again", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.apply(t, large, Upgraded)
			w.leave(t, release.StatusUninstalling)
		}, large, Repaired, 1},
		{"an uninstall that kept its history is installed again", func(t *testing.T, w world) {
			w.apply(t, small, Installed)
			w.leave(t, release.StatusUninstalled)
		}, small, Repaired, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			w := newWorld()
			c.before(t, w)
			w.apply(t, c.spec, c.want)
			r := w.last(t)
			if r.Info.Status != release.StatusDeployed || r.Version != c.revision || r.Namespace != "shop" {
				t.Errorf("revision %d in %s is %s, want %d deployed", r.Version, r.Namespace, r.Info.Status, c.revision)
			}
			if want := `size: "1"`; c.spec.Values["size"] == 1.0 && !strings.Contains(r.Manifest, want) {
				t.Errorf("no %s in\n%s", want, r.Manifest)
			}
			// Now the release is up to date in every case.
			w.apply(t, c.spec, Unchanged)
		})
	}
}

func TestApply_KeepsAShortHistory(t *testing.T) {
	w := newWorld()
	w.apply(t, spec(map[string]any{"size": 0.0}), Installed)
	for n := range 6 {
		w.apply(t, spec(map[string]any{"size": float64(n + 1)}), Upgraded)
	}
	all, err := w.cfg.Releases.History("thing")
	if err != nil || len(all) != 3 {
		t.Errorf("%d records, %v", len(all), err)
	}
}

func TestApply_ReturnsTheClustersError(t *testing.T) {
	w := newWorld()
	w.kube.BuildError = errors.New("no such kind")
	if _, err := apply(t.Context(), w.cfg, spec(nil)); err == nil || !strings.Contains(err.Error(), "no such kind") {
		t.Errorf("got %v", err)
	}
}

func TestFingerprint_ChangesWithTheSpec(t *testing.T) {
	of := func(s Spec) string {
		t.Helper()
		got, err := fingerprint(s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	base := func() Spec { return spec(map[string]any{"a": 1.0, "b": map[string]any{"c": "d"}}) }
	before := of(base())
	if len(before) != 40 {
		t.Errorf("%d characters; a label has at most 63", len(before))
	}
	for _, c := range []struct {
		sentence string
		change   func(*Spec)
		changes  bool
	}{
		{"nothing changed", func(*Spec) {}, false},
		{"the order of templates does not count", func(s *Spec) { f := s.Chart.Templates; f[0], f[1] = f[1], f[0] }, false},
		{"a value counts", func(s *Spec) { s.Values["a"] = 2.0 }, true},
		{"a nested value counts", func(s *Spec) { s.Values["b"] = map[string]any{"c": "e"} }, true},
		{"one more value counts", func(s *Spec) { s.Values["z"] = nil }, true},
		{"a default of the chart counts", func(s *Spec) { s.Chart.Values["size"] = 3.0 }, true},
		{"the text of a template counts", func(s *Spec) { s.Chart.Templates[0].Data = []byte("x") }, true},
		{"the name of a template counts", func(s *Spec) { s.Chart.Templates[0].Name = "templates/_a.yaml" }, true},
		{"a removed template counts", func(s *Spec) { s.Chart.Templates = s.Chart.Templates[:1] }, true},
		{"a file that a template may read counts", func(s *Spec) { s.Chart.Files[0].Data = []byte("other") }, true},
		{"the chart's version counts", func(s *Spec) { s.Chart.Metadata.Version = "1.0.1" }, true},
	} {
		s := base()
		c.change(&s)
		if after := of(s); (after != before) != c.changes {
			t.Errorf("%s: the fingerprint changed: %v", c.sentence, after != before)
		}
	}
}

func TestKeep_RoundTrip(t *testing.T) {
	cache := t.TempDir()
	from := charts.Upstream{Folder: "deploy/charts/other", Version: "1.0.0"}
	s := spec(nil)
	s.Chart.Raw = []*chart.File{{Name: "values.yaml", Data: []byte("size: 1\n")}}
	file := ChartFile(cache, from)
	// The second one replaces the first.
	for range 2 {
		if err := keep(s.Chart, file); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".new-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	kept, err := UpstreamChart(t.Context(), cache, "", from)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := loader.LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	prints := map[string]bool{}
	for _, c := range []*chart.Chart{s.Chart, kept, direct} {
		print, err := fingerprint(Spec{Chart: c})
		if err != nil {
			t.Fatal(err)
		}
		prints[print] = true
	}
	if len(prints) != 1 {
		t.Errorf("one chart has %d fingerprints: every `up` would upgrade it", len(prints))
	}
}

func TestApply_RemovedValueRevertsToTheDefault(t *testing.T) {
	w := newWorld()
	w.apply(t, spec(map[string]any{"size": 2.0}), Installed)
	w.apply(t, spec(nil), Upgraded)
	if m := w.last(t).Manifest; !strings.Contains(m, `size: "1"`) {
		t.Errorf("the old value is still there:\n%s", m)
	}
}
