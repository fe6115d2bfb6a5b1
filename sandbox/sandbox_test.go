package sandbox

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func newFolders(t *testing.T) Folders {
	t.Helper()
	dir := t.TempDir()
	return Folders{Config: filepath.Join(dir, "config"), Cache: filepath.Join(dir, "cache")}
}

func TestCheckName_AcceptsDNSLabels(t *testing.T) {
	for _, c := range []struct {
		sentence, name string
		ok             bool
	}{
		{"the default", DefaultName, true},
		{"one letter", "a", true},
		{"letters, digits and dashes", "team-7", true},
		{"40 characters", strings.Repeat("a", 40), true},
		{"41 characters", strings.Repeat("a", 41), false},
		{"nothing", "", false},
		{"a digit first", "7up", false},
		{"a leading dash, which would be read as a flag", "-a", false},
		{"an upper-case letter", "Sandbox", false},
		{"a path", "../etc", false},
		{"a dot", "a.b", false},
		{"a line after the name", "a\n", false},
	} {
		err := CheckName(c.name)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.sentence, err)
		}
		if !c.ok {
			fixture.WantError(t, err, "--name", "\ntry: --name sandbox")
		}
	}
	if name := filepath.Base(Folders{}.podmanFolder()); CheckName(name) == nil {
		t.Errorf("a sandbox may be called %s, and its `down` would remove podman's settings", name)
	}
}

func TestFindSourceTree_FromAnyFolder(t *testing.T) {
	root := t.TempDir()
	fixture.Write(t, filepath.Join(root, "go.mod"), "module github.com/grpc-sandbox/sandbox\n\ngo 1.26\n", 0o644)
	fixture.Write(t, filepath.Join(root, "sandbox/images/recipes/etcd/go.mod"), "module example.org/etcd\n", 0o644)
	fixture.Write(t, filepath.Join(root, "other/go.mod"), "module github.com/grpc-sandbox/sandbox-two\n", 0o644)
	elsewhere := t.TempDir()
	fixture.Write(t, filepath.Join(elsewhere, "go.mod"), "module github.com/grpc-sandbox/sandbox2\n", 0o644)
	for _, c := range []struct{ sentence, folder, want string }{
		{"the checkout itself", root, root},
		{"a folder deep in it", filepath.Join(root, "sandbox", "images"), root},
		{"a nested module belongs to it", filepath.Join(root, "sandbox/images/recipes/etcd"), root},
		{"a folder that does not exist yet belongs to it", filepath.Join(root, "new", "folder"), root},
		{"another project whose name has the same prefix", elsewhere, ""},
		{"no project at all", t.TempDir(), ""},
	} {
		if got := FindSourceTree(c.folder); got != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, got, c.want)
		}
	}
}
