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
	// SourceTree is a checkout of this project.
	SourceTree string
	// Scratch is an empty folder, which is removed afterwards.
	Scratch string
	// Doing receives the current activities. It is never nil.
	Doing func(string)

	mu sync.Mutex
	// going lists the activities in progress.
	going []string
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
