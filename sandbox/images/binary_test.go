package images

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestBinaryFiles_ListDependencies(t *testing.T) {
	shared := []string{"sandbox/images/recipes/etcd", "sandbox/images/recipes/go.work"}
	for _, module := range workspace {
		shared = append(shared, "sandbox/images/recipes/"+module+"/go.mod")
	}
	for _, c := range []struct {
		sentence string
		binary   Binary
		name     string
		files    []string
	}{
		{"our own program depends on our module and on what it names", Binary{Package: "./cmd/userservice", Sources: []string{"services"}}, "userservice", []string{"go.mod", "go.sum", "services"}},
		{"a recipe's program depends on its module, and on the versions that all of the workspace asks for", Binary{Module: "etcd", Package: "."}, "etcd", shared},
		{"a program built alone does not depend on the workspace", Binary{Module: "jaeger", Package: "example.org/cmd/jaeger", Alone: true}, "jaeger", []string{"sandbox/images/recipes/jaeger"}},
	} {
		if got := c.binary.files(); !slices.Equal(got, c.files) {
			t.Errorf("%s: got %v, want %v", c.sentence, got, c.files)
		}
		if got := c.binary.Name(); got != c.name {
			t.Errorf("%s: its name is %q, want %q", c.sentence, got, c.name)
		}
	}
}

func TestWorkspace_MatchesGoWork(t *testing.T) {
	out, err := exec.Command("go", "work", "edit", "-json", "recipes/go.work").Output()
	if err != nil {
		t.Fatal(err)
	}
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(out, &work); err != nil {
		t.Fatal(err)
	}
	var uses []string
	for _, u := range work.Use {
		uses = append(uses, strings.TrimPrefix(u.DiskPath, "./"))
	}
	if !slices.Equal(uses, workspace) {
		t.Errorf("go.work uses %v, the keys cover %v", uses, workspace)
	}
}

func TestLdflags_StripAndStamp(t *testing.T) {
	for _, c := range []struct {
		sentence string
		stamp    []string
		want     string
	}{
		{"symbols are always stripped", nil, "-s -w"},
		{"each stamp is one -X, in order", []string{"a.b=1", "c.d=2"}, "-s -w -X a.b=1 -X c.d=2"},
	} {
		if got := ldflags(c.stamp); got != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, got, c.want)
		}
	}
}
