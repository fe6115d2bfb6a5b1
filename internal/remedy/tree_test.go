package remedy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// showsRemedies are the files and folders, apart from this package, whose own text shows remedies to the user. Their error texts are checked as
// well.
var showsRemedies = []string{"scenarios", "tui/health.go"}

// TestTree_NoTextContainsARemedy keeps remedies out of error texts. A remedy inside a text can be for the wrong sandbox, comes before text that a
// caller appends, and is printed twice. Attach it with this package instead.
func TestTree_NoTextContainsARemedy(t *testing.T) {
	t.Parallel()
	root, files := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && (name == "internal/remedy" || d.Name() == "testdata" || strings.HasPrefix(name, ".") && name != "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		shows := slices.ContainsFunc(showsRemedies, func(s string) bool { return name == s || strings.HasPrefix(name, s+"/") })
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, at := range remediesInTexts(file, shows) {
			t.Errorf("%s:%d: a text contains `try: `; return the remedy with internal/remedy", name, set.Position(at).Line)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("checked %d files: %v", files, err)
	}
}

// remediesInTexts returns the string literals of a file that contain a remedy: all of them, or those of error constructors only.
func remediesInTexts(file *ast.File, errorsOnly bool) (at []token.Pos) {
	var in func(n ast.Node, inError bool)
	in = func(n ast.Node, inError bool) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if !inError && makesError(n.Fun) {
					in(n, true)
					return false
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING && (inError || !errorsOnly) && containsRemedy(n.Value) {
					at = append(at, n.Pos())
				}
			}
			return true
		})
	}
	in(file, false)
	return at
}

// makesError reports whether a function makes an error, by its name: errors.New, fmt.Errorf, status.Error, usageError.
func makesError(fun ast.Expr) bool {
	name := ""
	switch f := fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && f.Sel.Name == "New" {
			return x.Name == "errors" || x.Name == "remedy" || x.Name == "status"
		}
		name = f.Sel.Name
	}
	return strings.HasSuffix(name, "Error") || strings.HasSuffix(name, "Errorf")
}

// containsRemedy reports whether the word "try" introduces something; "Entry: " and "Registry: " do not count.
func containsRemedy(literal string) bool {
	for rest := literal; ; {
		i := strings.Index(rest, "try: ")
		if i < 0 {
			return false
		}
		before := rest[max(0, i-2):i]
		if !strings.ContainsAny(before[max(0, len(before)-1):], "abcdefghijklmnopqrstuvwxyz") || before == `\n` {
			return true
		}
		rest = rest[i+1:]
	}
}

func TestRemediesInTexts_FindsThem(t *testing.T) {
	t.Parallel()
	const source = `package p
var a = fmt.Errorf("x\ntry: y")
var b = status.Errorf(codes.Internal, "x; " + "try: y")
var c = usageError("try: y")
var d = "Entry: no remedy"
var e = "try: shown"
var f = errors.New("registry: none")
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if all, inErrors := len(remediesInTexts(file, false)), len(remediesInTexts(file, true)); all != 4 || inErrors != 3 {
		t.Errorf("found %d, %d of them in errors; want 4 and 3", all, inErrors)
	}
}
