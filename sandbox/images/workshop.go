package images

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Workshop is the environment in which recipes run.
type Workshop struct {
	SourceTree string       // a checkout of this project
	Scratch    string       // an empty folder, removed afterwards
	Doing      func(string) // receives the current activities; never nil

	mu    sync.Mutex
	going []string // the activities in progress
}

// start reports an activity together with the others in progress, until done is called.
func (w *Workshop) start(what string) (done func()) {
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

// goVersion is part of every key, because another toolchain makes another binary.
func goVersion() string { return runtime.Version() + " " + runtime.GOARCH }

// folder creates a folder in the scratch space.
func (w *Workshop) folder(name string) (string, error) {
	dir := filepath.Join(w.Scratch, name)
	return dir, os.MkdirAll(dir, 0o755)
}
