package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// slidingWindow is how expectations are judged over a window that ends now.
type slidingWindow struct {
	phase string
	// hold is how long expectations must be true. nil means the default of each expectation.
	hold *time.Duration
	// passing means that a state of a breaker counts even if it did not last.
	passing bool
	// from is the earliest time at which the window starts, in addition to the effect of the last change.
	from time.Time
}

// evidence returns what can be seen now. The caller fills in the loads over the window that it judges.
func (r *run) evidence(ctx context.Context) expect.Evidence {
	e := expect.Evidence{Loads: map[string]target.LoadReading{}, Calls: 1}
	e.Traces, e.UnknownTraces = r.breakers.Present(ctx)
	e.Now = r.Clock.Now()
	e.Ready = func(release string) (int, time.Time, error) {
		pods, err := r.target.Workloads.Pods(ctx, release)
		return target.CountReady(pods), time.Time{}, err
	}
	return e
}

// value returns what the query of an expectation yields over the window that ends now. It returns nil if there is no Prometheus.
func (r *run) value(ctx context.Context, window time.Duration) func(x expect.OfMetric) (float64, time.Time, error) {
	if r.target.Metrics == nil {
		return nil
	}
	return func(x expect.OfMetric) (float64, time.Time, error) {
		v, err := r.target.Metrics.Value(ctx, x.QueryOver(window))
		return v, time.Time{}, err
	}
}

// judge judges expectations over the window that ends now. It returns the number of the last change and the time at which the latest window started.
func (r *run) judge(
	ctx context.Context, w slidingWindow, expectations []expect.Expectation,
) (findings []report.Finding, number int, since time.Time) {
	// If this fails, the last reading is used until it is too old.
	_ = r.loads.Sample(ctx)
	r.samplePods(ctx, expectations)
	last, unsettled := r.lastChange.settle(ctx, r.Clock)
	findings, since = make([]report.Finding, len(expectations)), last.acted
	acted, settled := later(last.acted, w.from), later(last.settled, w.from)
	e := r.evidence(ctx)
	e.Calls = expect.WindowCalls
	for i, x := range expectations {
		hold := x.DefaultHold()
		if w.hold != nil {
			hold = *w.hold
		}
		e.BreakerWindow = expect.BreakerWindow{Hold: hold, After: acted, Passing: w.passing}
		e.Unread, e.Started = map[string]string{}, map[string]time.Time{}
		for _, l := range r.Load {
			if e.Unread[l.Name] = unsettled; unsettled == "" {
				e.Loads[l.Name], e.Started[l.Name], e.Unread[l.Name] = r.loads.Window(l.Name, hold, settled)
			}
		}
		e.Ready = func(release string) (int, time.Time, error) {
			if unsettled != "" {
				return 0, time.Time{}, errors.New(unsettled)
			}
			return r.pods.Window(release, hold, settled)
		}
		if value := r.value(ctx, hold); value != nil {
			e.Value = func(x expect.OfMetric) (float64, time.Time, error) {
				started := r.Clock.Now().Add(-hold)
				switch {
				case unsettled != "":
					return 0, time.Time{}, errors.New(unsettled)
				case started.Before(settled):
					return 0, time.Time{}, fmt.Errorf("less than %s have passed since the last change", hold)
				}
				v, _, err := value(x)
				return v, started, err
			}
		}
		findings[i] = x.Check(e)
		findings[i].Phase = w.phase
		if findings[i].Since.After(since) {
			since = findings[i].Since
		}
	}
	return findings, last.number, since
}

// samplePods counts the ready pods that expectations are about.
func (r *run) samplePods(ctx context.Context, expectations []expect.Expectation) {
	for _, x := range expectations {
		if x, ok := x.(expect.OfPods); ok {
			release, _ := x.Pods()
			r.pods.Sample(ctx, release)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// await judges expectations until all are met or the time is over. It returns the last findings and the time since which all have been met.
func (r *run) await(
	ctx context.Context, w slidingWindow, within time.Duration, expectations []expect.Expectation,
) ([]report.Finding, time.Time, error) {
	started := r.Clock.Now()
	for {
		findings, number, since := r.judge(ctx, w, expectations)
		if w.phase == "recover" {
			since = r.lastChange.judged(number, report.AllMet(findings), since)
		}
		now := r.Clock.Now()
		setSeconds(findings, now.Sub(started))
		if report.AllMet(findings) || !now.Before(started.Add(within)) {
			return findings, since, nil
		}
		if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
			return findings, since, err
		}
	}
}

// setSeconds sets how long expectations were observed.
func setSeconds(findings []report.Finding, d time.Duration) {
	for i := range findings {
		findings[i].Seconds = report.Seconds(d)
	}
}

// followRecovery judges what recover expects while the steps go on, from the first change. A step that only waits is therefore not part of the
// recovery time.
func (r *run) followRecovery(ctx context.Context) (stop func()) {
	if len(r.Recover.Expect) == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		for clock.Pause(ctx, r.Clock, watch.Interval) == nil {
			if r.lastChange.none() {
				continue
			}
			findings, number, since := r.judge(ctx, r.recoveryWindow(), r.Recover.Expect)
			if ctx.Err() == nil {
				r.lastChange.judged(number, report.AllMet(findings), since)
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

func (r *run) recoveryWindow() slidingWindow {
	return slidingWindow{phase: "recover", hold: r.Recover.Hold}
}
