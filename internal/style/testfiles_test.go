package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// ownTestNames are the first words of test files that need no source file: examples, the set-up of a package, its golden files and README, and the
// contracts between services.
var ownTestNames = []string{"example", "main", "golden", "readme", "contract"}

// ownTestFolders are folders whose test files have names of their own. Those of sandbox/e2e test the whole program, and those of services/governance
// are named after what a caller observes.
var ownTestFolders = []string{"sandbox/e2e", "services/governance"}

// TestTree_TestFilesAreNamedAfterTheirSource: x_test.go and x_y_test.go test x.go, or the whole package x. Files without tests, such as fakes, have
// any name, and so have those of a package without source.
func TestTree_TestFilesAreNamedAfterTheirSource(t *testing.T) {
	t.Parallel()
	for _, name := range strayTestFiles(t, tree(t)) {
		t.Errorf("%s: there is no source file with this name; name it x_test.go or x_y_test.go after the file or the package x that it tests", name)
	}
}

// strayTestFiles returns the test files that are not named after a source file.
func strayTestFiles(t *testing.T, sources map[string]string) (stray []string) {
	names := map[string][]string{}
	for name := range sources {
		if !strings.HasSuffix(name, "_test.go") {
			dir, file := path.Split(name)
			names[dir] = append(names[dir], strings.TrimSuffix(file, ".go"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		dir, file := path.Split(name)
		base, isTest := strings.CutSuffix(file, "_test.go")
		inOwn := slices.ContainsFunc(ownTestFolders, func(folder string) bool { return strings.HasPrefix(dir, folder+"/") })
		if !isTest || inOwn || len(names[dir]) == 0 || !hasTests(t, name, sources[name]) {
			continue
		}
		valid := append(slices.Concat(names[dir], ownTestNames), path.Base(dir))
		if !slices.ContainsFunc(valid, func(source string) bool { return base == source || strings.HasPrefix(base, source+"_") }) && !hasVariant(names[dir], base) {
			stray = append(stray, name)
		}
	}
	return stray
}

// hasVariant reports whether a source file exists for some systems only, such as group_linux.go for group_test.go.
func hasVariant(names []string, base string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains([]string{base + "_linux", base + "_unix", base + "_windows", base + "_darwin"}, name)
	})
}

// hasTests reports whether a file has tests, fuzz tests or benchmarks.
func hasTests(t *testing.T, name, source string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return false
	}
	return slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name != "TestMain" &&
			slices.ContainsFunc([]string{"Test", "Fuzz", "Benchmark"}, func(prefix string) bool { return strings.HasPrefix(f.Name.Name, prefix) })
	})
}

func TestStrayTestFiles_FindsThem(t *testing.T) {
	t.Parallel()
	const test = "package p\n\nfunc TestX_Y(t *testing.T) {}\n"
	got := strayTestFiles(t, map[string]string{
		"p/a.go": "", "p/group_linux.go": "", "p/b_test.go": test, "p/a_test.go": test, "p/a_fast_test.go": test, "p/p_test.go": test,
		"p/group_test.go": test, "p/fakes_test.go": "package p\n", "p/golden_test.go": test, "alone/x_test.go": test,
	})
	if want := []string{"p/b_test.go"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
