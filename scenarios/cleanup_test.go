package scenarios

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestInterruptInAnyPhaseCleansUp(t *testing.T) {
	for _, when := range []string{"plan", "steady", "steps", "recover", "verdict", "cleanup"} {
		t.Run(when, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				interrupted, stop := context.WithCancel(ctx)
				defer stop()
				opts.Observer = func(r telemetry.Run) {
					// Half a second into the steps the service is down.
					if r.Phase == "steps" && when == "steps" {
						if last := r.Timeline[len(r.Timeline)-1]; last.Kind == "breaker" {
							stop()
						}
					} else if r.Phase == when {
						stop()
					}
				}
				if when == "plan" { // it takes no time, so the observer would come too late
					stop()
				}
				report, err := Run(interrupted, scenario(t, "breaker-trip"), w.target(), opts)
				if when == "cleanup" {
					if err != nil || report.Result != Pass {
						t.Errorf("a run that had its verdict keeps it: %s, %v", report.Result, err)
					}
				} else if ExitCode(report.Result, err) != 130 || report.Result != Error {
					t.Errorf("result %s, error %v, exit code %d", report.Result, err, ExitCode(report.Result, err))
				}
				if len(report.Cleanup.Residue) > 0 || len(w.loads) > 0 || w.replicas["userservice"] != 3 {
					t.Errorf("left behind: %v, %d loads, %d replicas", report.Cleanup.Residue, len(w.loads), w.replicas["userservice"])
				}
			})
		})
	}
}

// asked calls before each look at the pods.
type asked struct {
	target.Workloads
	before func()
}

func (a asked) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	a.before()
	return a.Workloads.Pods(ctx, release)
}

func TestInterruptWhileTheVerdictIsReadIsNoVerdict(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		interrupted, stop := context.WithCancel(ctx)
		defer stop()
		var phase atomic.Value
		opts.Observer = func(r telemetry.Run) { phase.Store(r.Phase) }
		cluster := w.target()
		cluster.Workloads = asked{w, func() {
			if phase.Load() == "verdict" {
				stop()
			}
		}}
		sc := scenario(t, "breaker-trip", "  expect:\n    # It", "  expect:\n    - ready: {release: userservice, replicas: 3}\n    # It")
		report, err := Run(interrupted, sc, cluster, opts)
		if ExitCode(report.Result, err) != 130 || report.Result != Error {
			t.Errorf("result %s, error %v, exit code %d", report.Result, err, ExitCode(report.Result, err))
		}
	})
}

func TestUndoIsInReverseAndOnce(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		sc := scenario(t, "breaker-trip",
			"    - name: hold the outage\n", "    - name: faster\n      setRate: {load: browse, rate: 80/s}\n    - name: hold the outage\n",
			"heal: {step: take it down}", "wait: {for: 1s}")
		sc.Recover.Expect = nil
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"start browse", "scale userservice 0", "rate browse 80/s", "stop browse", "scale userservice 3"}
		if got := w.did(); !slices.Equal(got, want) {
			t.Errorf("did %q, want %q; undone %q", got, want, report.Cleanup.Undone)
		}
	})
}

func TestUndoThatFailsIsTriedAgain(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
		time.AfterFunc(30*time.Second, func() { w.fail("Scale", nil) })
		report, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts)
		if err == nil || report.Result != Error || len(report.Cleanup.Residue) > 0 {
			t.Errorf("result %s, error %v, residue %q", report.Result, err, report.Cleanup.Residue)
		}
		if w.replicas["userservice"] != 3 {
			t.Errorf("%d replicas", w.replicas["userservice"])
		}
	})
}

func TestResidueIsNamedAndTheJournalKept(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
		report, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts)
		var behind *LeftError
		if report.Result != Error || !errors.As(err, &behind) || len(report.Cleanup.Residue) != 2 {
			t.Errorf("result %s, error %v, residue %q", report.Result, err, report.Cleanup.Residue)
		}
		if left, _ := journal.Files(opts.Journal); len(left) != 1 {
			t.Errorf("journals: %v", left)
		}
		w.fail("Scale", nil)
		if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || w.replicas["userservice"] != 3 {
			t.Errorf("undo: %v, %d replicas", err, w.replicas["userservice"])
		}
	})
}
