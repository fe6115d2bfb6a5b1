package scenarios

import (
	"context"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const (
	// callLimit is the deadline of one request to the world.
	callLimit = 10 * time.Second
	// stopLimit is that of stopping a load, which waits for the calls in flight. The generator waits for them for less.
	stopLimit = 15 * time.Second
)

// limited gives every request to the world a deadline: a node that is paused accepts connections and answers nothing.
func limited(t Target) Target {
	return Target{limitedLoads{t.Loads}, limitedWorkloads{t.Workloads}, limitedBreakers{t.Breakers}}
}

type limitedLoads struct{ Loads }

func (l limitedLoads) Start(ctx context.Context, load LoadSpec) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return l.Loads.Start(ctx, load) })
}

func (l limitedLoads) SetRate(ctx context.Context, name string, rate Rate) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return l.Loads.SetRate(ctx, name, rate) })
}

func (l limitedLoads) Read(ctx context.Context, name string) (r LoadReading, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { r, err = l.Loads.Read(ctx, name); return err })
	return r, err
}

func (l limitedLoads) Stop(ctx context.Context, name string) (r LoadReading, err error) {
	err = within(ctx, stopLimit, func(ctx context.Context) error { r, err = l.Loads.Stop(ctx, name); return err })
	return r, err
}

type limitedWorkloads struct{ Workloads }

func (w limitedWorkloads) Pods(ctx context.Context, release string) (pods []telemetry.Pod, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { pods, err = w.Workloads.Pods(ctx, release); return err })
	return pods, err
}

func (w limitedWorkloads) Kill(ctx context.Context, pod string, grace time.Duration) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return w.Workloads.Kill(ctx, pod, grace) })
}

func (w limitedWorkloads) Replicas(ctx context.Context, release string) (n int, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { n, err = w.Workloads.Replicas(ctx, release); return err })
	return n, err
}

func (w limitedWorkloads) Scale(ctx context.Context, release string, replicas int) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return w.Workloads.Scale(ctx, release, replicas) })
}

type limitedBreakers struct{ source Breakers }

func (b limitedBreakers) Breakers(ctx context.Context) (all []telemetry.Breaker, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { all, err = b.source.Breakers(ctx); return err })
	return all, err
}

// Events has a deadline for the subscription; what it sends lasts as long as ctx.
func (b limitedBreakers) Events(ctx context.Context, since time.Time, after uint64) (<-chan BreakerChange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(callLimit, func() { cancel(context.DeadlineExceeded) })
	changes, err := b.source.Events(ctx, since, after)
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel(err)
		return nil, err
	}
	return changes, nil
}

func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}
