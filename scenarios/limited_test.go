package scenarios

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var noonUTC = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// deaf is a generator that does not answer StopLoad.
type deaf struct{ *world }

func (d deaf) Stop(ctx context.Context, _ string) (LoadReading, error) {
	<-ctx.Done()
	return LoadReading{}, ctx.Err()
}

func TestRun_StopThatHangsResidue(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		cluster := w.target()
		cluster.Loads = deaf{w}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "pod-kill"), cluster, opts)
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
		<-ctx.Done()
		return ctx.Err()
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
		report, err := Run(interrupted, scenario(t, "breaker-trip"), Target{Loads: d, Workloads: d, Breakers: d}, opts)
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
		cluster := w.target()
		cluster.Workloads = mute{w, time.Now().Add(9 * time.Second)}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "pod-kill", "within: 20s", "within: 5s"), cluster, opts)
		if took := time.Since(started); took > 2*time.Minute {
			t.Errorf("recover within 5 s took %s: %s, %v", took, report.Result, err)
		}
	})
}
