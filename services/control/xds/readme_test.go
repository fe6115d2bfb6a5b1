package xds

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// describe returns a finding in words.
func (f finding) describe() string {
	if f.depends != nil {
		return f.why
	}
	verdict := strings.ToLower(strings.TrimPrefix(f.verdict.String(), "VERDICT_"))
	if f.why == "" {
		return verdict
	}
	return verdict + ": " + f.why
}

func TestReadme_HasTheVerdicts(t *testing.T) {
	const file, from, to = "../README.md", "<!-- verdicts -->\n", "<!-- end of verdicts -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), from)
	_, after, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	var table strings.Builder
	table.WriteString("| field | grpc-go | Envoy (not run) |\n|---|---|---|\n")
	for _, name := range slices.SortedFunc(maps.Keys(verdicts), func(a, b string) int {
		// Faults last.
		return cmp.Or(cmp.Compare(strings.Count(a, "fault."), strings.Count(b, "fault.")), strings.Compare(a, b))
	}) {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, verdicts[name].grpc.describe(), verdicts[name].envoy.describe())
	}
	want := before + from + table.String() + to + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("the table in %s differs from verdicts.go; run `task golden`", file)
	}
}
