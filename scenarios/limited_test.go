package scenarios

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var noonUTC = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// paused is a world that accepts every request and answers none until its context ends.
type paused struct{}

func (paused) wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (p paused) Start(ctx context.Context, _ LoadSpec) error         { return p.wait(ctx) }
func (p paused) SetRate(ctx context.Context, _ string, _ Rate) error { return p.wait(ctx) }
func (p paused) Read(ctx context.Context, _ string) (LoadReading, error) {
	return LoadReading{}, p.wait(ctx)
}
func (p paused) Stop(ctx context.Context, _ string) (LoadReading, error) {
	return LoadReading{}, p.wait(ctx)
}
func (p paused) Pods(ctx context.Context, _ string) ([]telemetry.Pod, error) { return nil, p.wait(ctx) }
func (p paused) Kill(ctx context.Context, _ string, _ time.Duration) error   { return p.wait(ctx) }
func (p paused) Replicas(ctx context.Context, _ string) (int, error)         { return 0, p.wait(ctx) }
func (p paused) Scale(ctx context.Context, _ string, _ int) error            { return p.wait(ctx) }
func (p paused) Breakers(ctx context.Context) ([]telemetry.Breaker, error)   { return nil, p.wait(ctx) }
func (p paused) Events(ctx context.Context, _ time.Time, _ uint64) (<-chan BreakerChange, error) {
	return nil, p.wait(ctx)
}

func TestLimited_EveryRequestHasADeadline(t *testing.T) {
	target := limited(Target{paused{}, paused{}, paused{}})
	for what, do := range map[string]func(context.Context) error{
		"Start":    func(ctx context.Context) error { return target.Loads.Start(ctx, LoadSpec{}) },
		"SetRate":  func(ctx context.Context) error { return target.Loads.SetRate(ctx, "", 1) },
		"Read":     func(ctx context.Context) error { _, err := target.Loads.Read(ctx, ""); return err },
		"Stop":     func(ctx context.Context) error { _, err := target.Loads.Stop(ctx, ""); return err },
		"Pods":     func(ctx context.Context) error { _, err := target.Workloads.Pods(ctx, ""); return err },
		"Kill":     func(ctx context.Context) error { return target.Workloads.Kill(ctx, "", 0) },
		"Replicas": func(ctx context.Context) error { _, err := target.Workloads.Replicas(ctx, ""); return err },
		"Scale":    func(ctx context.Context) error { return target.Workloads.Scale(ctx, "", 0) },
		"Breakers": func(ctx context.Context) error { _, err := target.Breakers.Breakers(ctx); return err },
		"Events":   func(ctx context.Context) error { _, err := target.Breakers.Events(ctx, noonUTC, 0); return err },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				err := do(t.Context())
				if took := time.Since(started); err == nil || took > stopLimit {
					t.Errorf("%v after %s", err, took)
				}
			})
		})
	}
}

func TestLimited_EventsOutliveTheirSubscription(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		changes, err := limited(w.target()).Breakers.Events(ctx, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.mu.Lock()
		w.change(telemetry.Open, "an hour later")
		w.mu.Unlock()
		if c := <-changes; c.New != telemetry.Open {
			t.Errorf("got %+v", c)
		}
	})
}

// deaf is a generator that does not answer StopLoad.
type deaf struct{ *world }

func (d deaf) Stop(ctx context.Context, _ string) (LoadReading, error) {
	<-ctx.Done()
	return LoadReading{}, ctx.Err()
}

func TestRun_StopThatHangsResidue(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		target := w.target()
		target.Loads = deaf{w}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "pod-kill"), target, opts)
		var behind *LeftError
		if took := time.Since(started); took > 3*time.Minute || report.Result != Error || !errors.As(err, &behind) {
			t.Errorf("after %s: %s, %v", took, report.Result, err)
		}
		if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || len(w.loads) > 0 {
			t.Errorf("undo: %v, %d loads", err, len(w.loads))
		}
	})
}

// dying is a world that answers nothing once it is dead.
type dying struct {
	*world
	dead *atomic.Bool
}

func (d dying) wait(ctx context.Context) error {
	if d.dead.Load() {
		return paused{}.wait(ctx)
	}
	return nil
}

func (d dying) Read(ctx context.Context, name string) (LoadReading, error) {
	if err := d.wait(ctx); err != nil {
		return LoadReading{}, err
	}
	return d.world.Read(ctx, name)
}

func (d dying) Stop(ctx context.Context, name string) (LoadReading, error) {
	if err := d.wait(ctx); err != nil {
		return LoadReading{}, err
	}
	return d.world.Stop(ctx, name)
}

func (d dying) Replicas(ctx context.Context, release string) (int, error) {
	if err := d.wait(ctx); err != nil {
		return 0, err
	}
	return d.world.Replicas(ctx, release)
}

func TestRun_InterruptedWhenNothingAnswersResidue(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		interrupted, stop := context.WithCancel(ctx)
		d := dying{w, &atomic.Bool{}}
		var at time.Time
		time.AfterFunc(12*time.Second, func() { d.dead.Store(true); at = time.Now(); stop() })
		report, err := Run(interrupted, scenario(t, "breaker-trip"), Target{d, d, d}, opts)
		if took := time.Since(at); took > 2*time.Minute || ExitCode(report.Result, err) != 130 {
			t.Errorf("after %s: exit code %d, %v", took, ExitCode(report.Result, err), err)
		}
		if err == nil || !strings.Contains(err.Error(), "left behind: not undone: scale userservice from 3 to 0") || remedies(err) != "sandbox undo --list; sandbox undo" {
			t.Errorf("%v; remedies %q", err, remedies(err))
		}
		d.dead.Store(false)
		if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || w.replicas["userservice"] != 3 {
			t.Errorf("undo: %v, %d replicas", err, w.replicas["userservice"])
		}
	})
}

// mute is an API server that answers nothing for ten hours.
type mute struct {
	*world
	from time.Time
}

func (s mute) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	if time.Now().After(s.from) && time.Now().Before(s.from.Add(10*time.Hour)) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.world.Pods(ctx, release)
}

func TestRun_RecoverEndsThoughNothingAnswersResidue(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		target := w.target()
		target.Workloads = mute{w, time.Now().Add(9 * time.Second)}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "pod-kill", "within: 20s", "within: 5s"), target, opts)
		if took := time.Since(started); took > 2*time.Minute {
			t.Errorf("recover within 5 s took %s: %s, %v", took, report.Result, err)
		}
	})
}
