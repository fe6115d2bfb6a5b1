package sandbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// Progress is one thing an observer of `up` or `down` hears.
type Progress struct {
	Step    string        // the step's name
	Doing   string        // what it does now; empty when it starts or ends
	Typical time.Duration // how long Doing usually takes; zero when not known
	Note    string        // a line to keep
	Done    bool
	Err     error
	Took    time.Duration // with Done
}

// ImageProgress is what happens to an image, as a step of that name.
func ImageProgress(step string, e images.Event) Progress {
	if e.Done != nil {
		return Progress{Step: step, Done: true, Took: e.Done.Took}
	}
	return Progress{Step: step, Doing: e.Doing, Typical: e.Typical, Note: e.Note}
}

// Took is one row of the table of seconds.
type Took struct {
	Step  string
	Start time.Duration // since the beginning
	Took  time.Duration
}

// recorder runs steps, tells the observer, and keeps how long each took.
type recorder struct {
	observe func(Progress) // never called under mu
	begun   time.Time
	mu      sync.Mutex
	rows    []Took
	waits   []Took // spells in which others worked; see waiting
}

func newRecorder(observe func(Progress)) *recorder {
	if observe == nil {
		observe = func(Progress) {}
	}
	return &recorder{observe: observe, begun: time.Now()}
}

// step runs do under a name; doing tells what it is at.
func (r *recorder) step(ctx context.Context, name string, do func(ctx context.Context, doing func(string)) error) error {
	r.observe(Progress{Step: name})
	started := time.Now()
	err := do(ctx, func(what string) { r.observe(Progress{Step: name, Doing: what}) })
	took := time.Since(started)
	r.mu.Lock()
	r.rows = append(r.rows, Took{Step: name, Start: started.Sub(r.begun), Took: took})
	r.mu.Unlock()
	r.observe(Progress{Step: name, Done: true, Err: err, Took: took})
	return err
}

func (r *recorder) note(step, text string) { r.observe(Progress{Step: step, Note: text}) }

// table is every step by its beginning.
func (r *recorder) table() []Took {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(r.rows), func(a, b Took) int { return cmp.Compare(a.Start, b.Start) })
}

// waiting runs do, in which kind or a workload works and the sandbox itself only waits.
func (r *recorder) waiting(do func() error) error {
	started := time.Now()
	err := do()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = append(r.waits, Took{Start: started.Sub(r.begun), Took: time.Since(started)})
	return err
}

// own is what is left of total when every spell of waiting is taken away, however they overlap.
func (r *recorder) own(total time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.waits, func(a, b Took) int { return cmp.Compare(a.Start, b.Start) })
	own, covered := total, time.Duration(0)
	for _, w := range r.waits {
		end := min(w.Start+w.Took, total)
		if from := max(w.Start, covered); from < end {
			own -= end - from
			covered = end
		}
	}
	return own
}
