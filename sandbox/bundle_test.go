package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestSaveBundle_FailureLeavesNoFile(t *testing.T) {
	// No program is found, so that no image can be built, and PATH has no container engine either.
	t.Setenv("PATH", t.TempDir())
	file := filepath.Join(t.TempDir(), "bundle.tar.zst")
	var seen []string
	o := ImageOptions{Folders: newFolders(t), Mode: images.Source, Observe: func(p Progress) { seen = append(seen, p.Step) }}
	if err := SaveBundle(t.Context(), o, file); err == nil {
		t.Error("no error")
	}
	for _, name := range []string{file, file + ".part"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, step := range seen {
		if _, known := images.Find(step); !known {
			t.Errorf("%q is not the reference of an image", step)
		}
	}
}

func TestLoadBundle_NoBundle(t *testing.T) {
	if n, err := LoadBundle(t.Context(), newFolders(t), strings.NewReader("no archive")); err == nil || n != 0 {
		t.Errorf("loaded %d images, %v", n, err)
	}
}
