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

// deaf is a generator that does not answer Stop.
type deaf struct{ *fakeCluster }

func (d deaf) Stop(ctx context.Context, _ string) (LoadReading, error) {
	<-ctx.Done()
	return LoadReading{}, ctx.Err()
}

func TestResidue_StopHangs(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		cluster := w.target()
		cluster.Loads = deaf{w}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "kill"), cluster, opts)
		var behind *LeftError
		if took := time.Since(started); took > 3*time.Minute || report.Result != Error || !errors.As(err, &behind) {
			t.Errorf("after %s: %s, %v", took, report.Result, err)
		}
		if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || len(w.loads) > 0 {
			t.Errorf("undo: %v, %d loads", err, len(w.loads))
		}
	})
}

// dying is a cluster that stops answering.
type dying struct {
	*fakeCluster
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
	return d.fakeCluster.Read(ctx, name)
}

func (d dying) Stop(ctx context.Context, name string) (LoadReading, error) {
	if err := d.wait(ctx); err != nil {
		return LoadReading{}, err
	}
	return d.fakeCluster.Stop(ctx, name)
}

func (d dying) Replicas(ctx context.Context, release string) (int, error) {
	if err := d.wait(ctx); err != nil {
		return 0, err
	}
	return d.fakeCluster.Replicas(ctx, release)
}

func TestResidue_InterruptedWhileNothingAnswers(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		interrupted, stop := context.WithCancel(ctx)
		d := dying{w, &atomic.Bool{}}
		var at time.Time
		time.AfterFunc(12*time.Second, func() { d.dead.Store(true); at = time.Now(); stop() })
		report, err := Run(interrupted, scenario(t, "outage"), Target{Loads: d, Workloads: d, Breakers: d}, opts)
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

// mute is a cluster whose API server does not answer for ten hours.
type mute struct {
	*fakeCluster
	from time.Time
}

func (s mute) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	if time.Now().After(s.from) && time.Now().Before(s.from.Add(10*time.Hour)) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.fakeCluster.Pods(ctx, release)
}

func TestResidue_RecoverEndsWhileNothingAnswers(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		cluster := w.target()
		cluster.Workloads = mute{w, time.Now().Add(9 * time.Second)}
		started := time.Now()
		report, err := Run(ctx, scenario(t, "kill", "within: 20s", "within: 5s"), cluster, opts)
		if took := time.Since(started); took > 2*time.Minute {
			t.Errorf("recover within 5 s took %s: %s, %v", took, report.Result, err)
		}
	})
}

func TestResidue_IsReportedNextToEveryResult(t *testing.T) {
	const journalled = "sandbox undo --list; sandbox undo"
	for _, c := range []struct {
		sentence    string
		name        string
		edits       []string
		fakeCluster func(w *fakeCluster, interrupt func())
		result      Result
		code        int
		remedies    string
		journals    int
		inMessage   bool
	}{
		{"every expectation held, and a pod does not come back", "kill",
			[]string{"expect: [{ready: {release: userservice, replicas: 3}}]", "expect: [{ready: {release: userservice, replicas: 2}}]"},
			func(w *fakeCluster, _ func()) { w.stuck = true }, Pass, 5, "sandbox status", 0, true},
		{"every expectation held, and the replicas cannot be put back", "outage",
			[]string{"heal: {step: take it down}", "wait: {for: 1s}",
				"  recover:\n    within: 60s\n    expect:\n      - ready: {release: userservice, replicas: 3}\n      - breaker: {from: loadgen, to: userservice, state: closed}\n", "",
				"visits: [closed, open, half-open, closed]", "visits: [closed, open]", "  abort: [", "  # abort: ["},
			func(w *fakeCluster, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Pass, 5, journalled, 1, true},
		{"an expectation was not met", "outage",
			[]string{"    - name: bring it back\n      heal: {step: take it down}\n", "", "within: 60s", "within: 1s", "      - ready: {release: userservice, replicas: 3}\n", "", "  abort: [", "  # abort: ["},
			func(w *fakeCluster, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Fail, 1, journalled, 1, false},
		{"a limit stopped it", "outage", []string{"  abort: [{availability: {of: browse, below: 1%, for: ", "  abort: [{availability: {of: browse, below: 50%, for: 4s}}] # "},
			func(w *fakeCluster, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Aborted, 4, journalled, 1, false},
		{"it was interrupted", "outage", nil,
			func(w *fakeCluster, interrupt func()) {
				time.AfterFunc(12*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")); interrupt() })
			}, Error, 130, journalled, 1, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				interrupted, stop := context.WithCancel(ctx)
				defer stop()
				c.fakeCluster(w, stop)
				started := time.Now()
				report, err := Run(interrupted, scenario(t, c.name, c.edits...), w.target(), opts)
				if report.Result != c.result || ExitCode(report.Result, err) != c.code {
					t.Errorf("result %s, exit code %d, want %s, %d; %v", report.Result, ExitCode(report.Result, err), c.result, c.code, err)
				}
				if len(report.Cleanup.Residue) == 0 || err == nil || !strings.Contains(err.Error(), "left behind: "+report.Cleanup.Residue[0]) || remedies(err) != c.remedies {
					t.Errorf("residue %q, error %v, remedies %q", report.Cleanup.Residue, err, remedies(err))
				}
				if strings.Contains(report.Message, "left behind") != c.inMessage {
					t.Errorf("message %q", report.Message)
				}
				if took := time.Since(started); took > 3*time.Minute {
					t.Errorf("it took %s", took)
				}
				if left, err := Leftovers(opts.Journal, 0); err != nil || len(left) != c.journals {
					t.Errorf("leftovers %+v, %v", left, err)
				}
				w.fail("Scale", nil)
				w.stuck = false
				if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || w.replicas["userservice"] != 3 {
					t.Errorf("undo: %v, %d replicas", err, w.replicas["userservice"])
				}
			})
		})
	}
}
