package verify

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestJournal_KilledRuns(t *testing.T) {
	journal := Journal{filepath.Join(t.TempDir(), "contracts")}
	var asked []string
	killed := func(answer bool) []string {
		t.Helper()
		asked = nil
		if err := journal.Killed(func(run string) bool { asked = append(asked, run); return answer }); err != nil {
			t.Error(err)
		}
		return asked
	}
	if got := killed(true); len(got) > 0 {
		t.Errorf("before the first run: %v", got)
	}
	forget, err := journal.Start("in-progress")
	if err != nil {
		t.Fatal(err)
	}
	// A record without a lock is one of a killed run.
	if err := os.WriteFile(filepath.Join(journal.Dir, "killed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := killed(false); !slices.Equal(got, []string{"killed"}) {
		t.Errorf("next to a run in progress: %v", got)
	}
	if got := killed(true); !slices.Equal(got, []string{"killed"}) {
		t.Errorf("after the clean-up failed: %v", got)
	}
	if got := killed(true); len(got) > 0 {
		t.Errorf("after the clean-up: %v", got)
	}
	if err := forget(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(journal.Dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
