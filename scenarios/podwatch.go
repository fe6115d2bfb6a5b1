package scenarios

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// A podWatch keeps how many pods of a release were ready, as often as it was asked to look.
type podWatch struct {
	workloads Workloads
	clock     Clock
	keep      time.Duration

	mu   sync.Mutex
	past map[string][]podCount
	errs map[string]error // of the last look
}

type podCount struct {
	at    time.Time // when it was asked for
	ready int
}

func newPodWatch(sc Scenario, workloads Workloads, clock Clock) *podWatch {
	return &podWatch{workloads: workloads, clock: clock, keep: sc.LongestHold() + 2*expect.MaxAge, past: map[string][]podCount{}, errs: map[string]error{}}
}

func (p *podWatch) sample(ctx context.Context, release string) {
	asked := p.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	pods, err := p.workloads.Pods(ctx, release)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs[release] = err
	past := p.past[release]
	if err != nil || len(past) > 0 && !asked.After(past[len(past)-1].at) {
		return
	}
	past = append(past, podCount{asked, target.CountReady(pods)})
	for len(past) > 1 && past[0].at.Before(asked.Add(-p.keep)) {
		past = past[1:]
	}
	p.past[release] = past
}

// window is the fewest ready pods in a window of at least hold that ends now and begins at began.
func (p *podWatch) window(release string, hold time.Duration, after time.Time) (n int, began time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, past := p.clock.Now(), p.past[release]
	if len(past) == 0 || now.Sub(past[len(past)-1].at) > expect.MaxAge {
		if p.errs[release] != nil {
			return 0, began, p.errs[release]
		}
		return 0, began, fmt.Errorf("they were not listed for more than %s", expect.MaxAge)
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
	return n, began, fmt.Errorf("they have not been watched for %s since the last change", hold)
}
