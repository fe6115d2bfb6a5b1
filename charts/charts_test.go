package charts

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func render(t *testing.T, r Release, values map[string]any) string {
	t.Helper()
	text, err := tryRender(r, values)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tryRender(r Release, values map[string]any) (string, error) {
	c, err := Load(r.Chart)
	if err != nil {
		return "", err
	}
	i := action.NewInstall(new(action.Configuration))
	i.ReleaseName, i.Namespace, i.DryRun, i.ClientOnly = r.Name, r.Namespace, true, true
	rendered, err := i.Run(c, values)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(rendered.Manifest) + "\n", nil
}

func TestCharts_MatchGoldenFiles(t *testing.T) {
	for _, r := range ours() {
		t.Run(r.Name, func(t *testing.T) {
			got := render(t, r, r.Values)
			if again := render(t, r, r.Values); again != got {
				t.Errorf("rendered twice, it differs:\n%s", cmp.Diff(got, again))
			}
			golden(t, r.Name+".golden.yaml", got)
		})
	}
}

// golden compares a text with a file in testdata, or writes the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); after a look at it, run go test ./charts -update\n%s", file, diff)
	}
}

func TestGoldenFiles_HaveReleases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range ours() {
		want = append(want, filepath.Join("testdata", r.Name+".golden.yaml"))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("golden files (-want +got):\n%s", diff)
	}
}

// object has the fields that all rendered objects share.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	text string
}

func objects(t *testing.T, manifest string) []object {
	t.Helper()
	var all []object
	for _, text := range regexp.MustCompile(`(?m)^---.*$`).Split(manifest, -1) {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if o.Kind != "" {
			o.text = text
			all = append(all, o)
		}
	}
	return all
}

func TestRender_Values(t *testing.T) {
	service := Release{Name: "thing", Namespace: "shop", Chart: "grpcservice"}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{"image": "example.org/thing:1"}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	for _, c := range []struct {
		sentence string
		release  Release
		values   map[string]any
		has, not []string
	}{
		{"no disruption budget by default", service, with(nil), []string{"replicas: 1", "clusterIP: None"}, []string{"PodDisruptionBudget"}},
		{"a disruption budget where asked for", service, with(map[string]any{"minAvailable": 2}), []string{"PodDisruptionBudget", "minAvailable: 2"}, nil},
		{"a variable is quoted", service, with(map[string]any{"env": map[string]any{"LIMIT": 5}}), []string{`{name: LIMIT, value: "5"}`}, nil},
		{"a digest is on the pods, so that a new one restarts them", service, with(map[string]any{"imageDigest": "sha256:abc"}), []string{`sandbox.dev/image-digest: "sha256:abc"`}, nil},
		{"another trust domain is in every identity", Release{Name: "pki", Namespace: "shop", Chart: "pki"}, map[string]any{"trustDomain": "mesh.example", "workloads": workloads()},
			[]string{"spiffe://mesh.example/ns/shop/sa/userservice"}, []string{"sandbox.local"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got := render(t, c.release, c.values)
			for _, part := range c.has {
				if !strings.Contains(got, part) {
					t.Errorf("no %q in\n%s", part, got)
				}
			}
			for _, part := range c.not {
				if strings.Contains(got, part) {
					t.Errorf("%q in\n%s", part, got)
				}
			}
		})
	}
}

func TestRender_FailsWithoutAnImage(t *testing.T) {
	for _, r := range ours() {
		if len(r.Images) == 0 {
			continue
		}
		if _, err := tryRender(r, nil); err == nil || !strings.Contains(err.Error(), "image: say which image") {
			t.Errorf("%s without an image: %v", r.Name, err)
		}
	}
}

// TestRootIssuer_HasANameOfItsOwn: Helm creates the intermediate before it changes an existing issuer. If the root issuer had the name of an
// earlier version's self-signed issuer, the intermediate would first be signed by itself.
func TestRootIssuer_HasANameOfItsOwn(t *testing.T) {
	pki := Release{Name: "pki", Namespace: "shop", Chart: "pki"}
	var issuers []string
	for _, o := range objects(t, render(t, pki, nil)) {
		if o.Kind == "ClusterIssuer" {
			issuers = append(issuers, o.Metadata.Name)
		}
	}
	slices.Sort(issuers)
	if diff := cmp.Diff([]string{IntermediateIssuer, RootIssuer}, issuers); diff != "" || slices.Contains(issuers, "sandbox-root") || slices.Contains(issuers, "sandbox-ca") {
		t.Errorf("issuers (-want +got):\n%s", diff)
	}
}
