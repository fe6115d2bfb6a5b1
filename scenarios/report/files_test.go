package report

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteFiles_MakesTheFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	r := Report{Scenario: "outage", Result: Pass}
	if err := errors.Join(r.WriteFiles(dir), WriteJUnitFile(filepath.Join(dir, "c", "all.xml"), []Report{r, r})); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.json", "junit.xml", "c/all.xml"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(data), "outage") {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestCheckFolder_LeavesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	if err := CheckFolder(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestFiles_FolderThatIsAFile: neither is possible, and the error says so.
func TestFiles_FolderThatIsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckFolder(file); err == nil {
		t.Error("the folder can be written")
	}
	var path *fs.PathError
	if err := (Report{}).WriteFiles(file); !errors.As(err, &path) || !strings.HasPrefix(err.Error(), "writing the report: ") {
		t.Errorf("got %v", err)
	}
}
