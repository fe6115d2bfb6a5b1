package images

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	type input struct {
		recipe Recipe
		files  map[string]string
		go_    string
	}
	base := func() input {
		return input{
			recipe: fakeRecipe{Value: "v", files: []string{"go.mod", "dir"}},
			files:  map[string]string{"go.mod": "module x", "dir/a.go": "a", "dir/sub/b.go": "b", "dir/a_test.go": "test", "dir/README.md": "read", "other.go": "o"},
			go_:    "go1",
		}
	}
	key := func(t *testing.T, in input) string {
		tree := t.TempDir()
		for name, text := range in.files {
			write(t, filepath.Join(tree, name), text)
		}
		k, err := Key(in.recipe, tree, in.go_)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before := key(t, base())
	for _, c := range []struct {
		sentence string
		change   func(*input)
		changes  bool
	}{
		{"the same content in another folder has the same key", func(*input) {}, false},
		{"the order in which sources are named does not count", func(in *input) {
			in.recipe = fakeRecipe{Value: "v", files: []string{"dir", "go.mod"}}
		}, false},
		{"a file that is not named does not count", func(in *input) { in.files["other.go"] = "p" }, false},
		{"a test does not count", func(in *input) { in.files["dir/a_test.go"] = "other" }, false},
		{"a text for readers does not count", func(in *input) { in.files["dir/README.md"] = "other" }, false},
		{"the content of a named file counts", func(in *input) { in.files["go.mod"] = "module y" }, true},
		{"the content of a file deep in a named folder counts", func(in *input) { in.files["dir/sub/b.go"] = "c" }, true},
		{"the name of a file counts", func(in *input) { delete(in.files, "dir/sub/b.go"); in.files["dir/sub/c.go"] = "b" }, true},
		{"one more file counts", func(in *input) { in.files["dir/c.go"] = "" }, true},
		{"the recipe's own values count", func(in *input) { in.recipe = fakeRecipe{Value: "w", files: []string{"go.mod", "dir"}} }, true},
		{"the kind of recipe counts", func(in *input) { in.recipe = otherRecipe{fakeRecipe{Value: "v", files: []string{"go.mod", "dir"}}} }, true},
		{"the toolchain counts", func(in *input) { in.go_ = "go2" }, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			in := base()
			c.change(&in)
			if after := key(t, in); (after != before) != c.changes {
				t.Errorf("key changed: %v, want %v", after != before, c.changes)
			}
		})
	}
}

type otherRecipe struct{ fakeRecipe }

func TestKey_NamesAMissingSource(t *testing.T) {
	_, err := Key(fakeRecipe{files: []string{"gone"}}, t.TempDir(), "go1")
	wantError(t, err, os.ErrNotExist, "reading recipe source gone")
}

func TestBinaryFiles(t *testing.T) {
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

func TestLdflags(t *testing.T) {
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

func TestNode_StampsTheKubernetesVersion(t *testing.T) {
	kube := Node{Kubernetes: "v1.37.2"}.binaries()[0]
	for _, want := range []string{
		"k8s.io/component-base/version.gitVersion=v1.37.2", "k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
		"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=37",
	} {
		if !slices.Contains(kube.Stamp, want) {
			t.Errorf("no stamp %s in %v", want, kube.Stamp)
		}
	}
}
