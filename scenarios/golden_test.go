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

func TestReports(t *testing.T) {
	for _, tc := range []struct {
		name, scenario string
		edits          []string
		dry            bool
	}{
		{"pass", "breaker-trip", nil, false},
		{"fail", "breaker-trip", []string{"visits: [", "trace: ["}, false},
		{"aborted", "breaker-trip", []string{"below: 1%, for: 60s", "below: 50%, for: 4s"}, false},
		{"plan", "breaker-trip", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var report Report
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				opts.DryRun = tc.dry
				var err error
				if report, err = Run(ctx, scenario(t, tc.scenario, tc.edits...), w.target(), opts); err != nil {
					t.Error(err)
				}
			})
			var text, json, junit bytes.Buffer
			if err := errors.Join(report.WriteText(&text), report.WriteJSON(&json), report.WriteJUnit(&junit)); err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name+".txt", text.Bytes())
			if !tc.dry {
				golden(t, tc.name+".json", json.Bytes())
				golden(t, tc.name+".xml", junit.Bytes())
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
		{Pass, nil, 0}, {Planned, nil, 0}, {Fail, nil, 1}, {Error, &FileError{}, 2}, {Error, &UnknownError{}, 2},
		{Error, errors.New("no cluster"), 3}, {Error, nil, 3}, {Aborted, nil, 4}, {Error, fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := ExitCode(tc.result, tc.err); got != tc.want {
			t.Errorf("ExitCode(%s, %v) = %d, want %d", tc.result, tc.err, got, tc.want)
		}
	}
}
