package knownfailures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rows is the pinned size of the table. It may only become smaller.
const rows = 0

func TestTable_Shrinks(t *testing.T) {
	switch {
	case len(Table) > rows:
		t.Errorf("%d known failures, at most %d are allowed: fix the defect instead of listing it", len(Table), rows)
	case len(Table) < rows:
		t.Errorf("%d known failures are left of %d: lower the constant rows", len(Table), rows)
	}
	seen := map[string]bool{}
	for _, f := range Table {
		if f.Defect == "" || !strings.HasPrefix(f.Test, "Test") || seen[f.Test] {
			t.Errorf("%+v: a row needs a test of its own and a description of the defect", f)
		}
		seen[f.Test] = true
	}
}

func TestDocuments_Exist(t *testing.T) {
	for _, d := range Documents {
		if _, err := os.Stat(filepath.Join("..", "testdata", "knownfailures", filepath.FromSlash(d.File))); err != nil || d.Why == "" {
			t.Errorf("%s: %v (why: %q)", d.File, err, d.Why)
		}
	}
}

func TestJudge_Outputs(t *testing.T) {
	const fail, pass = "=== RUN TestX\n--- FAIL: TestX (0.00s)\nFAIL\n", "=== RUN TestX\n--- PASS: TestX (0.00s)\nPASS\n"
	for _, c := range []struct {
		sentence string
		outputs  []string
		want     string
	}{
		{"a test that fails stays in the table", []string{fail}, ""},
		{"a defect that shows in one of three runs is still there", []string{pass, pass, fail}, ""},
		{"a test that passes must leave the table", []string{pass, pass, pass}, "remove its row"},
		{"a test that does not exist is reported", []string{"testing: warning: no tests to run\nPASS\n"}, "does it exist"},
		{"a test with a longer name is another test", []string{"--- FAIL: TestXY (0.00s)\n"}, "does it exist"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			next := 0
			got := judge(func() string { next++; return c.outputs[next-1] }, "TestX")
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") || next != len(c.outputs) {
				t.Errorf("%q after %d runs, want %q after %d", got, next, c.want, len(c.outputs))
			}
		})
	}
}
