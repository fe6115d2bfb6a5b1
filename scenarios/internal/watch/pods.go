package watch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Pods records how many pods of each release were ready at each sample.
type Pods struct {
	source target.Workloads
	clock  clock.Clock
	keep   time.Duration

	mu   sync.Mutex
	past map[string][]podCount
	// errs are the errors of the last sample, by release.
	errs map[string]error
}

type podCount struct {
	// at is when the count was requested.
	at    time.Time
	ready int
}

// NewPods returns pods without samples.
func NewPods(sc spec.Scenario, source target.Workloads, c clock.Clock) *Pods {
	return &Pods{source: source, clock: c, keep: sc.LongestHold() + 2*expect.MaxAge, past: map[string][]podCount{}, errs: map[string]error{}}
}

// Sample counts the ready pods of a release.
func (w *Pods) Sample(ctx context.Context, release string) {
	requested := w.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	pods, err := w.source.Pods(ctx, release)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs[release] = err
	past := w.past[release]
	if err != nil || len(past) > 0 && !requested.After(past[len(past)-1].at) {
		return
	}
	past = append(past, podCount{requested, target.CountReady(pods)})
	for len(past) > 1 && past[0].at.Before(requested.Add(-w.keep)) {
		past = past[1:]
	}
	w.past[release] = past
}

// Window returns the lowest number of ready pods in a window of at least hold that ends now and does not start before after, and when the window
// started.
func (w *Pods) Window(release string, hold time.Duration, after time.Time) (n int, started time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, past := w.clock.Now(), w.past[release]
	if len(past) == 0 || now.Sub(past[len(past)-1].at) > expect.MaxAge {
		if w.errs[release] != nil {
			return 0, started, w.errs[release]
		}
		return 0, started, fmt.Errorf("they were not listed for more than %s", expect.MaxAge)
	}
	last := past[len(past)-1]
	n = last.ready
	next := last.at
	for i := len(past) - 1; i >= 0; i-- {
		c := past[i]
		if c.at.Before(after) || next.Sub(c.at) > expect.MaxAge {
			break
		}
		n, next = min(n, c.ready), c.at
		if !c.at.After(last.at.Add(-hold)) {
			return n, c.at, nil
		}
	}
	return n, started, fmt.Errorf("they have not been watched for %s since the last change", hold)
}
