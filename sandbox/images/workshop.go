package images

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Workshop is where recipes are carried out.
type Workshop struct {
	SourceTree string       // a checkout of this project
	Scratch    string       // an empty folder, removed afterwards
	Doing      func(string) // told what is being done; never nil

	mu    sync.Mutex
	going []string // what is being done side by side
}

// begin tells that something is being done, until done is called: beside what else is, which goes on being told afterwards.
func (w *Workshop) begin(what string) (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.going = append(w.going, what)
	w.Doing(strings.Join(w.going, ", "))
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		at := slices.Index(w.going, what)
		w.going = slices.Delete(w.going, at, at+1)
		if len(w.going) > 0 {
			w.Doing(strings.Join(w.going, ", "))
		}
	}
}

// goVersion is part of every key: another toolchain makes another binary.
func goVersion() string { return runtime.Version() + " " + runtime.GOARCH }

// folder makes a folder in the scratch space.
func (w *Workshop) folder(name string) (string, error) {
	dir := filepath.Join(w.Scratch, name)
	return dir, os.MkdirAll(dir, 0o755)
}
