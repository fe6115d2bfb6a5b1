// Package style has only tests, which check the style of all Go files of the repository.
package style

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree returns the source of every Go file of the repository, by its path from the root.
func tree(t *testing.T) map[string]string {
	root, sources := filepath.Join("..", ".."), map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && strings.HasPrefix(name, ".") && name != ".":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		source, err := os.ReadFile(path)
		sources[name] = string(source)
		return err
	})
	if err != nil || len(sources) < 100 {
		t.Fatalf("read %d files: %v", len(sources), err)
	}
	return sources
}
