package sandbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestRunOverlapped_ReturnsTheFirstError(t *testing.T) {
	broken, alsoBroken := errors.New("broken"), errors.New("also broken")
	type beforeFunc = func(ctx context.Context, ready func()) error
	type nextFunc = func(ctx context.Context) error
	for _, c := range []struct {
		sentence string
		of       func(beforeGoesOn, nextRuns chan struct{}) (beforeFunc, nextFunc)
		want     error
		nextRan  bool
	}{
		{"next runs while before goes on", func(goesOn, runs chan struct{}) (beforeFunc, nextFunc) {
			return func(_ context.Context, ready func()) error { ready(); <-runs; return nil },
				func(context.Context) error { close(runs); return nil }
		}, nil, true},
		{"next runs after a before that never calls ready", func(goesOn, runs chan struct{}) (beforeFunc, nextFunc) {
			return func(context.Context, func()) error { close(goesOn); return nil },
				func(context.Context) error { <-goesOn; return nil }
		}, nil, true},
		{"ready may be called twice", func(chan struct{}, chan struct{}) (beforeFunc, nextFunc) {
			return func(_ context.Context, ready func()) error { ready(); ready(); return nil },
				func(context.Context) error { return nil }
		}, nil, true},
		{"next does not run if before fails before it is ready", func(chan struct{}, chan struct{}) (beforeFunc, nextFunc) {
			return func(context.Context, func()) error { return broken }, func(context.Context) error { return alsoBroken }
		}, broken, false},
		{"before that fails later stops next, and its own error is returned", func(goesOn, runs chan struct{}) (beforeFunc, nextFunc) {
			return func(_ context.Context, ready func()) error { ready(); <-runs; return broken },
				func(ctx context.Context) error { close(runs); <-ctx.Done(); return ctx.Err() }
		}, broken, true},
		{"next that fails lets before run to completion", func(goesOn, runs chan struct{}) (beforeFunc, nextFunc) {
			return func(ctx context.Context, ready func()) error {
					ready()
					<-runs
					// next has returned by now.
					synctest.Wait()
					return ctx.Err()
				},
				func(context.Context) error { close(runs); return broken }
		}, broken, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before, next := c.of(make(chan struct{}), make(chan struct{}))
				ran := false
				err := runOverlapped(t.Context(), before, func(ctx context.Context) error { ran = true; return next(ctx) })
				if !errors.Is(err, c.want) || ran != c.nextRan {
					t.Errorf("%v, next ran: %v; want %v, %v", err, ran, c.want, c.nextRan)
				}
			})
		})
	}
}

func TestRunOverlapped_CancelStopsBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		stopped := 0
		err := runOverlapped(ctx,
			func(ctx context.Context, ready func()) error { ready(); <-ctx.Done(); return ctx.Err() },
			func(ctx context.Context) error { <-ctx.Done(); stopped++; return ctx.Err() })
		if !errors.Is(err, context.Canceled) || stopped != 1 {
			t.Errorf("%v, %d stopped", err, stopped)
		}
	})
}

func TestRunOverlapped_CancelledBetweenPhases(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	err := runOverlapped(ctx,
		func(context.Context, func()) error { cancel(); return nil },
		func(context.Context) error { ran = true; return nil })
	if !errors.Is(err, context.Canceled) || ran {
		t.Errorf("%v, next ran: %v", err, ran)
	}
}
