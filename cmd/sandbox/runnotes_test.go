package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestOnlyRunsWhoseProcessIsGoneAreTakenBack(t *testing.T) {
	notes := runNotes{filepath.Join(t.TempDir(), "contracts")}
	var asked []string
	killed := func(answer bool) []string {
		t.Helper()
		asked = nil
		if err := notes.killed(func(run string) bool { asked = append(asked, run); return answer }); err != nil {
			t.Error(err)
		}
		return asked
	}
	if got := killed(true); len(got) > 0 {
		t.Errorf("before the first run: %v", got)
	}
	forget, err := notes.keep("under-way")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(notes.dir, "killed"), nil, 0o600); err != nil { // nobody has it locked
		t.Fatal(err)
	}
	if got := killed(false); !slices.Equal(got, []string{"killed"}) {
		t.Errorf("beside a run that is under way: %v", got)
	}
	if got := killed(true); !slices.Equal(got, []string{"killed"}) {
		t.Errorf("after it could not be taken back: %v", got)
	}
	if got := killed(true); len(got) > 0 {
		t.Errorf("after it was taken back: %v", got)
	}
	if err := forget(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(notes.dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
