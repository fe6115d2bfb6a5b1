package scenarios

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// A calm is the time since the run last changed something. The windows of waitFor and recover lie wholly in it.
type calm struct {
	mu      sync.Mutex
	number  int                                 // of the change
	acted   time.Time                           // when it was made; zero before the first
	settled time.Time                           // when it had its effect; zero: not yet
	took    func(context.Context) (bool, error) // reports that; nil: with the change itself
	since   time.Time                           // since when everything that recover expects has held; zero: it does not
}

// changed begins a new calm: the run has disturbed the world, or healed it.
func (c *calm) changed(at time.Time, took func(context.Context) (bool, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.acted, c.took, c.since, c.settled = at, took, time.Time{}, time.Time{}
	if took == nil {
		c.settled = at
	}
}

// settle asks whether the last change has had its effect, such as the pods gone that it removed: until then callers may still be served by them.
func (c *calm) settle(ctx context.Context, clock Clock) (at calmTimes, unsettled string) {
	c.mu.Lock()
	now := calmTimes{c.number, c.acted, c.settled}
	took := c.took
	c.mu.Unlock()
	if took == nil || !now.settled.IsZero() {
		return now, ""
	}
	ctx, cancel := context.WithTimeout(ctx, watch.ReadTimeout)
	defer cancel()
	done, err := took(ctx)
	switch {
	case err != nil:
		return now, "not known whether the last change has had its effect: " + err.Error()
	case !done:
		return now, "the last change has not had its effect yet"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number == now.number {
		c.settled = clock.Now()
		now.settled = c.settled
	}
	return now, ""
}

type calmTimes struct {
	number         int
	acted, settled time.Time
}

// judged records what a judgement of the recovery came to, and returns since when everything has held. A judgement from before the last change
// does not count.
func (c *calm) judged(number int, met bool, since time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case number != c.number:
		return time.Time{}
	case !met:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = since
	}
	return c.since
}

// A sliding is how expectations are judged over a window that slides.
type sliding struct {
	phase   string
	hold    *time.Duration // nil: that of each expectation
	passing bool           // a breaker's state counts when it was passed through
}

// judge judges expectations over the window that ends now. It returns the time at which the latest of their windows started.
func (r *run) judge(ctx context.Context, how sliding, expectations []expect.Expectation) (findings []report.Finding, number int, since time.Time) {
	_ = r.loads.Sample(ctx) // if it fails, the last reading remains, and grows too old
	for _, x := range expectations {
		if x, ok := x.(expect.OfPods); ok {
			release, _ := x.Pods()
			r.pods.Sample(ctx, release)
		}
	}
	calm, unsettled := r.calm.settle(ctx, r.Clock)
	findings, since = make([]report.Finding, len(expectations)), calm.acted
	e := r.evidence(ctx)
	e.Calls = expect.WindowCalls
	for i, x := range expectations {
		hold := x.DefaultHold()
		if how.hold != nil {
			hold = *how.hold
		}
		e.BreakerWindow = expect.BreakerWindow{Hold: hold, After: calm.acted, Passing: how.passing}
		e.Unread, e.Started = map[string]string{}, map[string]time.Time{}
		for _, l := range r.Load {
			if e.Unread[l.Name] = unsettled; unsettled == "" {
				e.Loads[l.Name], e.Started[l.Name], e.Unread[l.Name] = r.loads.Window(l.Name, hold, calm.settled)
			}
		}
		e.Ready = func(release string) (int, time.Time, error) {
			if unsettled != "" {
				return 0, time.Time{}, errors.New(unsettled)
			}
			return r.pods.Window(release, hold, calm.settled)
		}
		findings[i] = x.Check(e)
		findings[i].Phase = how.phase
		if findings[i].Since.After(since) {
			since = findings[i].Since
		}
	}
	return findings, calm.number, since
}

// await judges every pulse until all expectations hold; it returns the last findings and since when they have held.
func (r *run) await(ctx context.Context, how sliding, within time.Duration, expectations []expect.Expectation) ([]report.Finding, time.Time, error) {
	began := r.Clock.Now()
	for {
		findings, number, since := r.judge(ctx, how, expectations)
		if how.phase == "recover" {
			since = r.calm.judged(number, report.AllMet(findings), since)
		}
		now := r.Clock.Now()
		observedFor(findings, now.Sub(began))
		if report.AllMet(findings) || !now.Before(began.Add(within)) {
			return findings, since, nil
		}
		if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
			return findings, since, err
		}
	}
}

func observedFor(findings []report.Finding, d time.Duration) {
	for i := range findings {
		findings[i].Seconds = report.Seconds(d)
	}
}

// followRecovery judges what recover expects from the first change on, while the steps go on: a step that only waits is no recovery time.
func (r *run) followRecovery(ctx context.Context) (stop func()) {
	if len(r.Recover.Expect) == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		for clock.Pause(ctx, r.Clock, watch.Interval) == nil {
			if r.calm.undisturbed() {
				continue
			}
			findings, number, since := r.judge(ctx, r.recovering(), r.Recover.Expect)
			if ctx.Err() == nil {
				r.calm.judged(number, report.AllMet(findings), since)
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

func (c *calm) undisturbed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number == 0
}

func (r *run) recovering() sliding { return sliding{phase: "recover", hold: r.Recover.Hold} }
