package images

import (
	"os"
	"path/filepath"
	"runtime"
)

// Workshop is where recipes are carried out.
type Workshop struct {
	SourceTree string       // a checkout of this project
	Scratch    string       // an empty folder, removed afterwards
	Doing      func(string) // told what is being done; never nil
}

// goVersion is part of every key: another toolchain makes another binary.
func goVersion() string { return runtime.Version() + " " + runtime.GOARCH }

// folder makes a folder in the scratch space.
func (w *Workshop) folder(name string) (string, error) {
	dir := filepath.Join(w.Scratch, name)
	return dir, os.MkdirAll(dir, 0o755)
}
