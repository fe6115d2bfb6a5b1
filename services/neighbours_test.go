// Package services has only this test, which checks what the services below it import.
package services

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/grpc-sandbox/sandbox/services/"

// TestServices_KnowEachOtherByTheirProtosOnly: a service is a folder with the generated code of its own proto, such as user with userv1. Other folders may
// import that code, and nothing else of the service.
func TestServices_KnowEachOtherByTheirProtosOnly(t *testing.T) {
	generated, err := filepath.Glob("*/*v1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, dir := range generated {
		name := filepath.Dir(dir)
		if filepath.Base(dir) == name+"v1" {
			names = append(names, name)
		}
	}
	if len(names) < 2 {
		t.Fatalf("found only the services %v", names)
	}
	err = filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		owner, _, _ := strings.Cut(file, string(filepath.Separator))
		for _, imported := range imports(t, file) {
			if other, ok := strings.CutPrefix(imported, module); ok && other != owner && slices.Contains(names, other) {
				t.Errorf("%s imports %s; a service is known by its proto only", file, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range parsed.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	return all
}
