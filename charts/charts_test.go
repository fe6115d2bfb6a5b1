package charts

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// catalog returns the releases with image references that do not depend on the catalog of images.
func catalog() []Release {
	return All(func(component string) string { return "example.org/" + component + ":1" })
}

func ours() []Release {
	return slices.DeleteFunc(catalog(), func(r Release) bool { return r.Chart == CertManager })
}

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
			file := filepath.Join("testdata", r.Name+".golden.yaml")
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
		})
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

func deployments(t *testing.T, manifest string) []appsv1.Deployment {
	t.Helper()
	var all []appsv1.Deployment
	for _, o := range objects(t, manifest) {
		if o.Kind != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict([]byte(o.text), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestDeployments_AreHardened(t *testing.T) {
	for _, r := range ours() {
		found := deployments(t, render(t, r, r.Values))
		if (len(found) == 0) != (r.Selector == "") {
			t.Errorf("%s has %d deployments and the selector %q", r.Name, len(found), r.Selector)
		}
		for _, d := range found {
			for _, flaw := range flaws(d) {
				t.Errorf("%s: %s", d.Name, flaw)
			}
			key, value, _ := strings.Cut(r.Selector, "=")
			if d.Labels[key] != value || d.Spec.Template.Labels[key] != value {
				t.Errorf("%s: the selector %s finds neither the deployment nor its pods", d.Name, r.Selector)
			}
			if d.Labels["app.kubernetes.io/part-of"] != "sandbox" {
				t.Errorf("%s: it is not part of the sandbox", d.Name)
			}
		}
	}
}

func flaws(d appsv1.Deployment) []string {
	var all []string
	check := func(ok bool, flaw string) {
		if !ok {
			all = append(all, flaw)
		}
	}
	isTrue := func(b *bool) bool { return b != nil && *b }
	isFalse := func(b *bool) bool { return b != nil && !*b }
	pod := d.Spec.Template.Spec
	s := pod.SecurityContext
	check(s != nil && isTrue(s.RunAsNonRoot) && s.RunAsUser != nil && *s.RunAsUser != 0, "it may run as root")
	check(s != nil && s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
	check(len(pod.Containers) > 0, "no container")
	for _, c := range pod.Containers {
		s := c.SecurityContext
		check(s != nil && isTrue(s.ReadOnlyRootFilesystem), c.Name+" may write to its root")
		check(s != nil && isFalse(s.AllowPrivilegeEscalation), c.Name+" may gain privileges")
		check(s != nil && s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0, c.Name+" has capabilities")
		check(!c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(), c.Name+" requests no resources")
		check(!c.Resources.Limits.Memory().IsZero(), c.Name+" has no memory limit")
		check(c.ReadinessProbe != nil, c.Name+" has no readiness probe")
		check(c.ImagePullPolicy == corev1.PullIfNotPresent, c.Name+" would be pulled again")
	}
	return all
}

func TestFlaws_AreFound(t *testing.T) {
	if got := flaws(appsv1.Deployment{}); len(got) != 3 {
		t.Errorf("an empty deployment has flaws %q", got)
	}
	bare := appsv1.Deployment{}
	bare.Spec.Template.Spec.Containers = []corev1.Container{{Name: "bare"}}
	if got := flaws(bare); len(got) != 9 {
		t.Errorf("a bare container has flaws %q", got)
	}
}

func TestAll_ListsEveryImage(t *testing.T) {
	for _, r := range ours() {
		for _, d := range deployments(t, render(t, r, r.Values)) {
			for _, c := range d.Spec.Template.Spec.Containers {
				if !slices.Contains(r.Images, c.Image) {
					t.Errorf("%s runs %s, which would not be loaded: %v", r.Name, c.Image, r.Images)
				}
			}
		}
	}
}

func TestAll_NeedsComeFirst(t *testing.T) {
	before := map[string]Release{}
	for _, r := range catalog() {
		if _, twice := before[r.Name]; twice {
			t.Errorf("%s appears twice", r.Name)
		}
		for _, need := range r.Needs {
			n, found := before[need]
			if !found {
				t.Errorf("%s needs %s, which does not come before it", r.Name, need)
			}
			if r.FirstCall && !n.FirstCall {
				t.Errorf("the first call waits for %s but not for %s", r.Name, need)
			}
		}
		if r.Chart != CertManager && !slices.Contains(chartNames(), r.Chart) {
			t.Errorf("%s has the chart %s, which is not ours: %v", r.Name, r.Chart, chartNames())
		}
		if r.Namespace == "" {
			t.Errorf("%s has no namespace", r.Name)
		}
		before[r.Name] = r
	}
	for _, chart := range chartNames() {
		if !slices.ContainsFunc(catalog(), func(r Release) bool { return r.Chart == chart }) {
			t.Errorf("no release installs chart %s", chart)
		}
	}
}

// TestMountedCertificates_ComeWithTheTrustBundle checks that a pod does not trust the ca.crt of its own Secret, which is not updated after the
// certificate was issued, and that no pod waits for a Secret that is never created.
func TestMountedCertificates_ComeWithTheTrustBundle(t *testing.T) {
	var made []string
	for _, r := range ours() {
		for _, o := range objects(t, render(t, r, r.Values)) {
			if o.Kind == "Certificate" {
				made = append(made, fmt.Sprintf("%s/%s-tls", o.Metadata.Namespace, o.Metadata.Name))
			}
		}
	}
	found := 0
	for _, r := range ours() {
		for _, d := range deployments(t, render(t, r, r.Values)) {
			for _, v := range d.Spec.Template.Spec.Volumes {
				if v.Secret != nil {
					t.Errorf("%s mounts Secret %s alone", d.Name, v.Secret.SecretName)
				}
				if v.Projected == nil {
					continue
				}
				found++
				for _, flaw := range projectionFlaws(v.Projected.Sources, r.Namespace, made) {
					t.Errorf("%s: %s", d.Name, flaw)
				}
				if !regexp.MustCompile(`^(metrics|tls|postgres):\d+$`).MatchString(d.Spec.Template.Annotations[CertificatesAt]) {
					t.Errorf("%s: nothing can see which roots it trusts: annotation %s is %q", d.Name, CertificatesAt, d.Spec.Template.Annotations[CertificatesAt])
				}
			}
		}
	}
	if found == 0 {
		t.Error("no deployment mounts a certificate")
	}
}

func projectionFlaws(sources []corev1.VolumeProjection, namespace string, made []string) (flaws []string) {
	var files []string
	for _, s := range sources {
		var items []corev1.KeyToPath
		switch {
		case s.Secret != nil:
			items = s.Secret.Items
			if !slices.Contains(made, namespace+"/"+s.Secret.Name) {
				flaws = append(flaws, "no Certificate makes secret "+s.Secret.Name)
			}
		case s.ConfigMap != nil:
			items = s.ConfigMap.Items
		}
		for _, i := range items {
			files = append(files, i.Path)
			if (i.Path == "ca.crt") != (s.ConfigMap != nil && s.ConfigMap.Name == TrustBundle) {
				flaws = append(flaws, i.Path+" comes from the wrong object")
			}
		}
	}
	if slices.Sort(files); !slices.Equal(files, []string{"ca.crt", "tls.crt", "tls.key"}) {
		flaws = append(flaws, fmt.Sprintf("the volume has %q", files))
	}
	return flaws
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

var (
	topLevelKey = regexp.MustCompile(`^([A-Za-z]\w*):`)
	usedValue   = regexp.MustCompile(`\.Values\.(\w+)`)
)

func TestValues_AreExplained(t *testing.T) {
	for _, chart := range chartNames() {
		data, err := files.ReadFile(chart + "/values.yaml")
		if err != nil {
			t.Fatal(err)
		}
		declared := map[string]bool{}
		previous := ""
		for line := range strings.Lines(string(data)) {
			if key := topLevelKey.FindStringSubmatch(line); key != nil {
				declared[key[1]] = true
				if !strings.HasPrefix(previous, "# ") {
					t.Errorf("%s/values.yaml: %s has no comment above it", chart, key[1])
				}
			}
			previous = line
		}
		c, err := Load(chart)
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, f := range c.Templates {
			for _, m := range usedValue.FindAllStringSubmatch(string(f.Data), -1) {
				used[m[1]] = true
			}
		}
		if diff := cmp.Diff(declared, used); diff != "" {
			t.Errorf("%s: values declared (-) and used (+):\n%s", chart, diff)
		}
	}
}

func TestLoad_UnknownChart(t *testing.T) {
	if _, err := Load("other"); err == nil || !strings.Contains(err.Error(), "loading chart other") {
		t.Errorf("got %v", err)
	}
}

// chartNames returns the names of the charts in this package.
func chartNames() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		// Reading an embedded root cannot fail.
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
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
