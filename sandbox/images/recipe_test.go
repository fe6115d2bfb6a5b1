package images

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKey_ChangesWithTheInputs(t *testing.T) {
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

func TestWithoutComments_KeepsDirectives(t *testing.T) {
	const plain = "package a\n\nimport \"embed\"\n\nfunc f() { g() }\n"
	for _, c := range []struct {
		sentence, file, text string
		same                 bool
	}{
		{"a comment", "a.go", "// Package a.\npackage a\n\nimport \"embed\" // x\n\n/* f */\nfunc f() { g() }\n", true},
		{"another layout", "a.go", "package a; import \"embed\";\n\n\nfunc f()   { g() }\n", true},
		{"another statement", "a.go", "package a\n\nimport \"embed\"\n\nfunc f() { h() }\n", false},
		{"another text with a slash", "a.go", "package a\n\nimport \"embed//x\"\n\nfunc f() { g() }\n", false},
		{"a directive", "a.go", "package a\n\nimport \"embed\"\n\n//go:noinline\nfunc f() { g() }\n", false},
		{"C code", "a.go", "package a\n\n// int x;\nimport \"C\"\n", false},
		{"not Go", "a.txt", "// Package a.\n" + plain, false},
		{"not readable as Go", "a.go", plain + "'", false},
	} {
		got := string(withoutComments(c.file, []byte(c.text))) == string(withoutComments("a.go", []byte(plain)))
		if got != c.same {
			t.Errorf("%s: same %v, want %v", c.sentence, got, c.same)
		}
	}
}

func TestKey_NamesAMissingSource(t *testing.T) {
	_, err := Key(fakeRecipe{files: []string{"gone"}}, t.TempDir(), "go1")
	wantError(t, err, os.ErrNotExist, "reading recipe source gone")
}

func TestRecipes_SourcesExist(t *testing.T) {
	for _, i := range All() {
		for _, s := range i.Recipe.Sources() {
			if _, err := os.Stat(filepath.Join("../..", s)); err != nil {
				t.Errorf("%s: %v", i.Ref, err)
			}
		}
	}
}

func TestRecipes_SourcesIncludeTheRecipesCode(t *testing.T) {
	for _, i := range All() {
		found := map[string]bool{}
		for _, s := range i.Recipe.Sources() {
			found[s] = true
		}
		if !found["sandbox/images/layer.go"] {
			t.Errorf("%s would not be built again when the code that writes layers changes", i.Ref)
		}
	}
}
