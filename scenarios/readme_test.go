package scenarios

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	tablesBegin = "<!-- printed from the catalogs: go test ./scenarios -run TestReadme -update -->\n"
	tablesEnd   = "<!-- end -->\n"
)

func TestReadme_MatchesTheCatalogs(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tablesBegin)
	_, after, ok2 := strings.Cut(rest, tablesEnd)
	if !ok || !ok2 {
		t.Fatal("README.md has lost its marks")
	}
	want := before + tablesBegin + "\n" + Grammar() + "\n" + tablesEnd + after
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(data), "\n")); diff != "" {
		t.Errorf("run go test ./scenarios -run TestReadme -update\n%s", diff)
	}
}
