package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLimits_MissedLimitIsMarked(t *testing.T) {
	var limits Limits
	took := []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond}
	if got, p50, p99 := limits.Row("fast", took, time.Second); got != "| fast | 2 ms | 3 ms | 1000 ms |\n" || p50 != 2 || p99 != 3 || len(limits.Missed) != 0 {
		t.Errorf("%q, %v, %v, missed %q", got, p50, p99, limits.Missed)
	}
	if got, _, _ := limits.Row("slow", took, time.Millisecond); got != "| slow | 2 ms | 3 ms | **1 ms, missed** |\n" {
		t.Errorf("got %q", got)
	}
	if got := limits.Check("half", 0.5, 0.5, "ms"); got != "0.5 ms" {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(limits.Missed, "; "); got != "slow: 3 ms, the limit is 1" {
		t.Errorf("missed %q", got)
	}
}

func TestWrite_ReplacesTheTable(t *testing.T) {
	page := filepath.Join(t.TempDir(), "README.md")
	const before, after = "# Page\n<!-- own: printed by task bench:all -->\n", "<!-- end of own -->\nThe end.\n"
	if err := os.WriteFile(page, []byte(before+"| old |\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(page, "own", "all", "| new |\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil || string(got) != before+"| new |\n"+after {
		t.Errorf("got %q, %v", got, err)
	}
	if err := Write(page, "other", "all", "| new |\n"); err == nil || !strings.Contains(err.Error(), "has no place for it") {
		t.Errorf("a page without the marks: %v", err)
	}
}
