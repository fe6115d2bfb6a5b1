package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listening is a run of `up` that notes what its observer hears.
func listening(t *testing.T) (*up, *[]Progress) {
	t.Helper()
	var heard []Progress
	return &up{o: UpOptions{Name: "one", Folders: newFolders(t)}, rec: newRecorder(func(p Progress) { heard = append(heard, p) })}, &heard
}

func TestLeftoversThatStayDoNotEndUp(t *testing.T) {
	u, heard := listening(t)
	if err := os.MkdirAll(filepath.Join(u.o.Folders.Images(), "lock"), 0o755); err != nil { // where a file belongs
		t.Fatal(err)
	}
	if err := u.openStore(); err != nil {
		t.Fatal(err)
	}
	if len(*heard) != 1 || (*heard)[0].Step != "image cache" || !strings.Contains((*heard)[0].Note, "is a directory") {
		t.Errorf("heard %+v", *heard)
	}
}
