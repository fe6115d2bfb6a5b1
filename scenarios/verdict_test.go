package scenarios

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// asked calls a function before it lists pods.
type asked struct {
	target.Workloads
	before func()
}

func (a asked) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	a.before()
	return a.Workloads.Pods(ctx, release)
}

func TestVerdict_InterruptedWhileReading(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
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
		sc := scenario(t, "outage", "  expect:\n    # It", "  expect:\n    - ready: {release: userservice, replicas: 3}\n    # It")
		report, err := Run(interrupted, sc, cluster, opts)
		if ExitCode(report.Result, err) != 130 || report.Result != Error {
			t.Errorf("result %s, error %v, exit code %d", report.Result, err, ExitCode(report.Result, err))
		}
	})
}

// prompt is a cluster whose loads have calls in flight as soon as they start.
type prompt struct{ *fakeCluster }

func (p prompt) Start(ctx context.Context, l LoadSpec) error {
	err := p.fakeCluster.Start(ctx, l)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.loads[l.Name].Intended, p.loads[l.Name].Sent = 2, 2
	}
	return err
}

func TestVerdict_CountsEveryCall(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		report, err := Run(ctx, scenario(t, "kill"), Target{Loads: prompt{w}, Workloads: w, Breakers: w}, opts)
		if err != nil || len(report.Load) != 1 {
			t.Fatalf("%+v, %v", report.Load, err)
		}
		failed := int64(0)
		for _, n := range report.Load[0].Errors {
			failed += n
		}
		if l := report.Load[0]; l.OK+failed != l.Sent {
			t.Errorf("of %d calls that were sent %d were answered and %d failed", l.Sent, l.OK, failed)
		}
	})
}
