package remedy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

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
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, at := range remediesInTexts(file) {
			t.Errorf("%s:%d: a text contains `try: `; return the remedy with internal/remedy", name, set.Position(at).Line)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("checked %d files: %v", files, err)
	}
}

// remediesInTexts returns the string literals of a file that contain a remedy.
func remediesInTexts(file *ast.File) (at []token.Pos) {
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && containsRemedy(lit.Value) {
			at = append(at, lit.Pos())
		}
		return true
	})
	return at
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
	if n := len(remediesInTexts(file)); n != 4 {
		t.Errorf("found %d, want 4", n)
	}
}
