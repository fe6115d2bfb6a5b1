package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// touch records a change, or returns the error that a test has set for the method.
func (w *fakeCluster) touch(ctx context.Context, method, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	if w.hook != nil {
		w.hook(call)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.broken[method]; err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.log = append(w.log, call)
	return nil
}

func (w *fakeCluster) Start(ctx context.Context, l LoadSpec) error {
	if err := w.touch(ctx, "Start", "start %s", target.ShortName(l.Name)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loads[l.Name] != nil {
		return fmt.Errorf("starting load %s: %w", l.Name, ErrLoadTaken)
	}
	w.loads[l.Name] = &fakeLoad{spec: l, LoadReading: newReading()}
	return nil
}

func newReading() LoadReading {
	return LoadReading{
		Errors: map[string]int64{}, Refused: map[string]int64{}, Latency: hdrhistogram.New(1, 60_000_000, 3), FailedLatency: hdrhistogram.New(1, 60_000_000, 3),
	}
}

func (w *fakeCluster) SetRate(ctx context.Context, name string, rate Rate) error {
	if err := w.touch(ctx, "SetRate", "rate %s %s", target.ShortName(name), rate); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loads[name] == nil {
		return ErrNoLoad
	}
	w.loads[name].spec.Rate = rate
	return nil
}

// errMute makes Read block until its context ends, as on a paused node.
var errMute = errors.New("mute")

func (w *fakeCluster) Read(ctx context.Context, name string) (LoadReading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.broken["Read"]; errors.Is(err, errMute) {
		w.mu.Unlock()
		<-ctx.Done()
		w.mu.Lock()
		return LoadReading{}, ctx.Err()
	} else if err != nil {
		return LoadReading{}, err
	}
	l := w.loads[name]
	if l == nil {
		return LoadReading{}, ErrNoLoad
	}
	r := l.LoadReading
	r.Rate = l.spec.Rate
	r.At, r.Errors, r.Refused, r.Failures = time.Now(), maps.Clone(r.Errors), maps.Clone(r.Refused), slices.Clone(r.Failures)
	r.Latency, r.FailedLatency = hdrhistogram.Import(r.Latency.Export()), hdrhistogram.Import(r.FailedLatency.Export())
	return r, ctx.Err()
}

func (w *fakeCluster) Stop(ctx context.Context, name string) (LoadReading, error) {
	if err := w.touch(ctx, "Stop", "stop %s", target.ShortName(name)); err != nil {
		return LoadReading{}, err
	}
	r, err := w.Read(ctx, name)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.loads, name)
	return r, err
}

func (w *fakeCluster) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.broken["Pods"]; err != nil {
		return nil, err
	}
	return slices.Clone(w.pods[release]), ctx.Err()
}

func (w *fakeCluster) Kill(ctx context.Context, pod string, _ time.Duration) error {
	if err := w.touch(ctx, "Kill", "kill %s", pod); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for release := range w.pods {
		w.pods[release] = slices.DeleteFunc(w.pods[release], func(p telemetry.Pod) bool { return p.Name == pod })
	}
	return nil
}

func (w *fakeCluster) Replicas(_ context.Context, release string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.replicas[release]
	if !ok {
		return 0, fmt.Errorf("no release %q", release)
	}
	return n, nil
}

func (w *fakeCluster) Scale(ctx context.Context, release string, n int) error {
	if err := w.touch(ctx, "Scale", "scale %s %d", release, n); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replicas[release] = n
	w.converge(release, false)
	return nil
}

func (w *fakeCluster) Breakers(context.Context) ([]telemetry.Breaker, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return []telemetry.Breaker{w.breaker}, nil
}

func (w *fakeCluster) Events(ctx context.Context, since time.Time, after uint64) (<-chan BreakerChange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(chan BreakerChange, 1000)
	// A number beyond the last change is from another process.
	if n := len(w.changes); n == 0 || after > w.changes[n-1].Seq {
		after = 0
	}
	for _, c := range w.changes {
		if c.Seq > after && !c.At.Before(since) {
			out <- c
		}
	}
	w.subs = append(w.subs, out)
	return out, nil
}

// hangUp closes every subscription, as a lost connection does.
func (w *fakeCluster) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subs {
		close(s)
	}
	w.subs = nil
}

func (w *fakeCluster) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}
