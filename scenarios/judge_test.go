package scenarios

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestRecover_FailsWhileTheServiceIsAway(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		report, err := Run(ctx, caseFile(t, "false-recovery"), w.target(), opts)
		if err != nil || report.Result != Fail || report.Recovery.RecoverSeconds != nil {
			t.Errorf("result %s, error %v, recovery %+v", report.Result, err, report.Recovery)
		}
		if f := inPhase(report, "recover")[0]; f.Observed.Number != 0 || f.Seconds < 20 {
			t.Errorf("observed %s after %v s, want 0 %% after 20 s", f.ObservedText(), f.Seconds)
		}
	})
}

// lingering is a cluster whose pods still serve after they were scaled away, and are listed until they end.
type lingering struct{ *fakeCluster }

func (l lingering) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	pods, err := l.fakeCluster.Pods(ctx, release)
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.linger) {
		pods = append(pods, telemetry.Pod{Name: "userservice-1", Release: release, Phase: "Terminating"})
	}
	return pods, err
}

func TestRecover_WaitsForTheEffectOfAChange(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		cluster := w.target()
		cluster.Workloads = lingering{w}
		w.trip = false
		w.hook = func(call string) {
			if call == "scale userservice 0" {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.linger = time.Now().Add(4 * time.Second)
			}
		}
		report, err := Run(ctx, caseFile(t, "false-recovery"), cluster, opts)
		if err != nil || report.Result != Fail || report.Recovery.RecoverSeconds != nil {
			t.Errorf("pods served for 4 s more: result %s, error %v, recovered after %v", report.Result, err, report.Recovery.RecoverSeconds)
		}
	})
}

// TestRecover_AfterAStackIsHealedFromBelow ends at three pods, although the upper step, which is healed last, started at two.
func TestRecover_AfterAStackIsHealedFromBelow(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := caseFile(t, "false-recovery", takenDown, "    - {name: two, scale: {release: userservice, replicas: 2}}\n"+
			"    - {name: one, scale: {release: userservice, replicas: 1}}\n    - {name: lower, heal: {step: two}}\n    - {name: upper, heal: {step: one}}\n")
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil || report.Result != Pass || w.replicas["userservice"] != 3 {
			t.Errorf("result %s, error %v, %d replicas: %+v", report.Result, err, w.replicas["userservice"], inPhase(report, "recover"))
		}
	})
}

func TestRecover_TimeIsTheStartOfTheWindow(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.trip = false
		report, err := Run(ctx, caseFile(t, "false-recovery", takenDown, backAgain), w.target(), opts)
		if err != nil || report.Result != Pass || report.Recovery.RecoverSeconds == nil {
			t.Fatalf("result %s, error %v, recovery %+v", report.Result, err, report.Recovery)
		}
		// Pods start in 2 s, and loads are read every 250 ms.
		if s := *report.Recovery.RecoverSeconds; s < 1.9 || s > 2.5 {
			t.Errorf("calls are answered 2 s after the heal, recoverSeconds is %v", s)
		}
	})
}

func TestRecover_WaitStepIsNotRecoveryTime(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := scenario(t, "kill", "  recover:", "    - {name: look on, wait: {for: 15s}}\n  recover:")
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil || report.Recovery.RecoverSeconds == nil {
			t.Fatal(err)
		}
		if s := *report.Recovery.RecoverSeconds; s < 1.9 || s > 2.5 {
			t.Errorf("the pod is ready after 2 s, recoverSeconds is %v", s)
		}
	})
}

func TestRecover_RestartsAfterARelapse(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := scenario(t, "kill", "  recover:", "    - {name: look on, wait: {for: 15s}}\n  recover:")
		// This kill comes 8 s after that of the step.
		time.AfterFunc(18*time.Second, func() { _ = w.Kill(ctx, w.pods["userservice"][0].Name, 0) })
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil || report.Recovery.RecoverSeconds == nil {
			t.Fatal(err)
		}
		if s := *report.Recovery.RecoverSeconds; s < 9.5 || s > 11 {
			t.Errorf("everything has held since 10 s after the fault, recoverSeconds is %v", s)
		}
	})
}

// unreadable has loads that can be read only until a certain time.
type unreadable struct {
	*fakeCluster
	until time.Time
}

func (u unreadable) Read(ctx context.Context, name string) (LoadReading, error) {
	r, err := u.fakeCluster.Read(ctx, name)
	if err == nil && time.Now().After(u.until) {
		err = errors.New("no route")
	}
	return r, err
}

func TestRecover_StaleReadingsAreUnknown(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := caseFile(t, "false-recovery", takenDown, takenDown+"    - {name: hold, wait: {for: 4s}}\n", "within: 20s", "within: 3s")
		cluster := w.target()
		cluster.Loads = unreadable{w, time.Now().Add(5010 * time.Millisecond)}
		report, err := Run(ctx, sc, cluster, opts)
		// A LeftError is expected, because it cannot be read whether the load is gone.
		if behind := (*LeftError)(nil); err != nil && !errors.As(err, &behind) {
			t.Fatal(err)
		}
		if f := inPhase(report, "recover")[0]; f.Met() || f.Observed.Text != "unknown" || !strings.Contains(f.Note, "last read") {
			t.Errorf("nothing was read for 7 s, and %s is %s (%s)", f.Name, f.ObservedText(), f.Note)
		}
	})
}

func TestWaitFor_IgnoresTheTimeBeforeTheAction(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		sc := caseFile(t, "false-recovery", "replicas: 0}", "replicas: 0}, waitFor: {availability: {of: browse, atLeast: 99.9%}, within: 10s}")
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil {
			t.Fatal(err)
		}
		if f := inPhase(report, "steps")[0]; f.Met() || f.Step != "take it down" || f.Seconds < 10 {
			t.Errorf("without a pod %s is %s: %+v", f.Name, f.ObservedText(), f)
		}
	})
}

// TestWaitFor_SeesAShortState trips the breaker for 30 ms between two readings.
func TestWaitFor_SeesAShortState(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.trip = false
		sc := scenario(t, "kill", "gracePeriod: 0s}", "gracePeriod: 0s}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 5s}",
			"trace: [closed]", "visits: [open]")
		for i, to := range []telemetry.BreakerState{telemetry.Open, telemetry.HalfOpen, telemetry.Closed} {
			time.AfterFunc(11*time.Second+time.Duration(10+15*i)*time.Millisecond, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.change(to, "for the test")
			})
		}
		report, err := Run(ctx, sc, w.target(), opts)
		if err != nil || report.Result != Pass {
			t.Errorf("result %s, error %v: %+v", report.Result, err, inPhase(report, "steps"))
		}
	})
}
