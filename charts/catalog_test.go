package charts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// catalog returns the releases with image references that do not depend on the catalog of images.
func catalog() []Release {
	return All(func(component string) string { return "example.org/" + component + ":1" })
}

func ours() []Release {
	return slices.DeleteFunc(catalog(), func(r Release) bool { return r.Chart == certManagerRelease })
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

func TestLoad_UnknownChart(t *testing.T) {
	if _, err := Load("other"); err == nil || !strings.Contains(err.Error(), "loading chart other") {
		t.Errorf("got %v", err)
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

// TestAll_LogsNameAReleaseWithPods checks that the command in an error about any release has logs to print.
func TestAll_LogsNameAReleaseWithPods(t *testing.T) {
	all := catalog()
	for _, r := range all {
		if !slices.ContainsFunc(all, func(other Release) bool { return other.Name == r.Logs && other.Selector != "" }) {
			t.Errorf("the logs of %s are those of %q", r.Name, r.Logs)
		}
	}
}

func TestServiceRelease_ImageOfAnotherComponent(t *testing.T) {
	image := func(component string) string { return "example.org/" + component + ":1" }
	for _, c := range []struct {
		service Service
		want    string
	}{{Service{Name: "a"}, "example.org/a:1"}, {Service{Name: "a", Image: "b"}, "example.org/b:1"}} {
		r := c.service.release(image)
		if !slices.Equal(r.Images, []string{c.want}) || r.Values["image"] != c.want {
			t.Errorf("%+v runs %v, %v; want %s", c.service, r.Images, r.Values["image"], c.want)
		}
	}
}

// TestAll_TargetsHaveACertificate checks that scenarios can renew the certificate of every release that they may change.
func TestAll_TargetsHaveACertificate(t *testing.T) {
	for _, r := range catalog() {
		of, _ := workloads()[r.Namespace].([]any)
		if r.Target && !slices.Contains(of, any(r.Name)) {
			t.Errorf("%s has no certificate", r.Name)
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
		if r.Chart != certManagerRelease && !slices.Contains(chartNames(), r.Chart) {
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
