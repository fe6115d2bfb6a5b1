package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goodTestName is the form TestSubject_Condition or TestSubject_Outcome, which fuzz tests have, too. The name of a benchmark may be its subject alone.
var goodTestName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*_[A-Z]\w*$`)

func TestTree_TestNamesHaveASubjectAndACondition(t *testing.T) {
	t.Parallel()
	for name, source := range tree(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		bad, err := badTestNames(name, source)
		if err != nil {
			t.Error(err)
		}
		for _, test := range bad {
			t.Errorf("%s: %s does not have the form TestSubject_Condition", name, test)
		}
	}
}

// badTestNames returns the names of the tests and fuzz tests that do not have the form.
func badTestNames(name, source string) (bad []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
			continue
		}
		if f.Name.Name != "TestMain" && !goodTestName.MatchString(f.Name.Name) {
			bad = append(bad, f.Name.Name)
		}
	}
	return bad, nil
}

func TestBadTestNames_FindsThem(t *testing.T) {
	t.Parallel()
	const source = `package p

func TestMain(m *testing.M) {}
func TestParse_EmptyText(t *testing.T) {}
func TestParse(t *testing.T) {}
func TestAParserReadsWhatItWrote(t *testing.T) {}
func TestParse_(t *testing.T) {}
func FuzzParse_RoundTrip(f *testing.F) {}
func FuzzParse(f *testing.F) {}
func BenchmarkParse(b *testing.B) {}
func ExampleParse() {}
func (parser) TestsItself() {}
`
	got, err := badTestNames("p_test.go", source)
	if want := []string{"TestParse", "TestAParserReadsWhatItWrote", "TestParse_", "FuzzParse"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("found %q, want %q: %v", got, want, err)
	}
}
