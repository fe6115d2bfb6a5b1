package sandbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// Progress is one event that an observer of `up` or `down` receives.
type Progress struct {
	// Step is the name of the step.
	Step string
	// Doing is the current activity. It is empty when the step starts or ends.
	Doing string
	// Typical is how long Doing usually takes, or zero if that is not known.
	Typical time.Duration
	// Note is a line that stays on the screen.
	Note string
	// Remedies are what the user can do about Note.
	Remedies []remedy.Remedy
	// Done is set when the step has ended.
	Done bool
	// Err is the error of a step that has failed. It is set together with Done.
	Err error
	// Took is set together with Done.
	Took time.Duration
}

// imageProgress converts an image event to the progress of the named step.
func imageProgress(step string, e images.Event) Progress {
	if e.Done != nil {
		return Progress{Step: step, Done: true, Took: e.Done.Took}
	}
	return Progress{Step: step, Doing: e.Doing, Typical: e.Typical, Note: e.Note}
}

// Took is one row of the table of steps.
type Took struct {
	// Step is the name of the step.
	Step string
	// Start is the time since `up` started.
	Start time.Duration
	// Took is how long the step took, whether it failed or not.
	Took time.Duration
}

// recorder runs steps, reports them to the observer, and records how long each took.
type recorder struct {
	// observe is never called with mu held.
	observe func(Progress)
	start   time.Time
	mu      sync.Mutex
	rows    []Took
	// waits are the periods in which kind or a workload was working; see waiting.
	waits []Took
}

func newRecorder(observe func(Progress)) *recorder {
	if observe == nil {
		observe = func(Progress) {}
	}
	return &recorder{observe: observe, start: time.Now()}
}

// step runs do under a name. The argument of do reports its current activity.
func (r *recorder) step(ctx context.Context, name string, do func(ctx context.Context, doing func(string)) error) error {
	r.observe(Progress{Step: name})
	started := time.Now()
	err := do(ctx, func(what string) { r.observe(Progress{Step: name, Doing: what}) })
	took := time.Since(started)
	r.mu.Lock()
	r.rows = append(r.rows, Took{Step: name, Start: started.Sub(r.start), Took: took})
	r.mu.Unlock()
	r.observe(Progress{Step: name, Done: true, Err: err, Took: took})
	return err
}

func (r *recorder) note(step, text string) { r.observe(Progress{Step: step, Note: text}) }

// advise is note with what the user can do.
func (r *recorder) advise(step, text string, fixes ...remedy.Remedy) {
	r.observe(Progress{Step: step, Note: text, Remedies: fixes})
}

// table returns the steps in the order in which they started.
func (r *recorder) table() []Took {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(r.rows), func(a, b Took) int { return cmp.Compare(a.Start, b.Start) })
}

// waiting runs do and records its duration as time in which kind or a workload works while the sandbox itself only waits.
func (r *recorder) waiting(do func() error) error {
	started := time.Now()
	err := do()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = append(r.waits, Took{Start: started.Sub(r.start), Took: time.Since(started)})
	return err
}

// own returns total without the periods recorded by waiting, which may overlap.
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
