package scenarios

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

func TestCleanup_AfterAnInterruptInAnyPhase(t *testing.T) {
	for _, when := range []string{"plan", "steady", "steps", "recover", "verdict", "cleanup"} {
		t.Run(when, func(t *testing.T) {
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
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
				// Planning takes no time, so the observer would interrupt it too late.
				if when == "plan" {
					stop()
				}
				report, err := Run(interrupted, scenario(t, "outage"), w.target(), opts)
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

func TestCleanup_UndoesInReverseOnce(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := scenario(t, "outage",
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

func TestCleanup_RetriesAFailedUndo(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
		time.AfterFunc(30*time.Second, func() { w.fail("Scale", nil) })
		report, err := Run(ctx, scenario(t, "outage"), w.target(), opts)
		if err == nil || report.Result != Error || len(report.Cleanup.Residue) > 0 {
			t.Errorf("result %s, error %v, residue %q", report.Result, err, report.Cleanup.Residue)
		}
		if w.replicas["userservice"] != 3 {
			t.Errorf("%d replicas", w.replicas["userservice"])
		}
	})
}

func TestCleanup_ResidueKeepsTheJournal(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
		report, err := Run(ctx, scenario(t, "outage"), w.target(), opts)
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

func TestCleanup_LeavesAnotherProgramsChangeAlone(t *testing.T) {
	for sentence, c := range map[string]struct {
		edits  []string
		change func(context.Context, *fakeCluster) error
		kept   func(*fakeCluster) bool
		want   string
	}{
		"replicas": {[]string{"heal: {step: take it down}", "wait: {for: 5s}", "      - ready: {release: userservice, replicas: 3}\n", ""},
			func(ctx context.Context, w *fakeCluster) error { return w.Scale(ctx, "userservice", 4) },
			func(w *fakeCluster) bool { return w.replicas["userservice"] == 4 },
			"scale userservice from 3 to 0: left alone: replicas of userservice is 4, and the run had set it to 0"},
		"a rate": {[]string{"    - name: hold the outage\n", "    - name: faster\n      setRate: {load: browse, rate: 80/s, for: 9s}\n    - name: hold the outage\n"},
			func(ctx context.Context, w *fakeCluster) error { return w.SetRate(ctx, bubbleRun+"/browse", 7) },
			func(w *fakeCluster) bool { return !slices.Contains(w.log, "rate browse 50/s") },
			"set browse from 50/s to 80/s: left alone: rate of browse is 7/s, and the run had set it to 80/s"},
	} {
		t.Run(sentence, func(t *testing.T) {
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				time.AfterFunc(12*time.Second, func() {
					if err := c.change(ctx, w); err != nil {
						t.Error(err)
					}
				})
				report, err := Run(ctx, scenario(t, "outage", c.edits...), w.target(), opts)
				if err != nil || len(report.Cleanup.Residue) > 0 || !c.kept(w) {
					t.Errorf("%v; residue %q; did %q", err, report.Cleanup.Residue, w.did())
				}
				if !slices.Equal(report.Cleanup.LeftAlone, []string{c.want}) {
					t.Errorf("left alone %q, want %q", report.Cleanup.LeftAlone, c.want)
				}
			})
		})
	}
}

func TestCleanup_LeavesTheWholeStackAlone(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		time.AfterFunc(5*time.Second, func() { _ = w.Scale(ctx, "userservice", 5) })
		report, err := Run(ctx, caseFile(t, "heal-under-a-later-scale", "    - {name: back, heal: {step: a little}}\n", "    - {name: wait, wait: {for: 5s}}\n"), w.target(), opts)
		if err != nil || w.replicas["userservice"] != 5 || len(report.Cleanup.LeftAlone) != 1 || len(report.Cleanup.Residue) > 0 {
			t.Errorf("%v; %d replicas; %+v", err, w.replicas["userservice"], report.Cleanup)
		}
	})
}
