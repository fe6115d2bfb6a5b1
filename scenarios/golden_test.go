package scenarios

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files and the README's tables")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
	}
}

// reports are breaker-trip's, by how it ends.
func reports(t *testing.T) map[string]Report {
	t.Helper()
	out := map[string]Report{}
	for name, edits := range map[string][]string{
		"pass": nil, "fail": {"visits: [", "trace: ["}, "aborted": {"below: 1%, for: 30s", "below: 50%, for: 4s"}, "plan": nil,
	} {
		inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
			opts.DryRun = name == "plan"
			report, err := Run(ctx, scenario(t, "breaker-trip", edits...), w.target(), opts)
			if err != nil {
				t.Error(err)
			}
			out[name] = report
		})
	}
	return out
}

func TestReports(t *testing.T) {
	for name, report := range reports(t) {
		t.Run(name, func(t *testing.T) {
			var plain, asJSON, junit bytes.Buffer
			if err := errors.Join(report.WriteText(&plain), report.WriteJSON(&asJSON), report.WriteJUnit(&junit)); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", plain.Bytes())
			if name != "plan" {
				golden(t, name+".json", asJSON.Bytes())
				golden(t, name+".xml", junit.Bytes())
			}
		})
	}
}

const (
	tablesBegin = "<!-- printed from the catalogs: go test ./scenarios -run TestReadme -update -->\n"
	tablesEnd   = "<!-- end -->\n"
)

func TestReadmeIsPrintedFromTheCatalogs(t *testing.T) {
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

func TestExitCode(t *testing.T) {
	for _, tc := range []struct {
		result Result
		err    error
		want   int
	}{
		{Pass, nil, 0}, {Planned, nil, 0}, {Fail, nil, 1}, {Error, &FileError{}, 2}, {Error, fmt.Errorf("x: %w", ErrUnknown), 2},
		{Error, errors.New("no cluster"), 3}, {Error, nil, 3}, {Aborted, nil, 4}, {Error, fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := ExitCode(tc.result, tc.err); got != tc.want {
			t.Errorf("ExitCode(%s, %v) = %d, want %d", tc.result, tc.err, got, tc.want)
		}
	}
}
