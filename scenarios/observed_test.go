package scenarios

import (
	"context"
	"testing"
)

// prompt is a world whose loads have calls in flight as soon as they are started.
type prompt struct{ *world }

func (p prompt) Start(ctx context.Context, l LoadSpec) error {
	err := p.world.Start(ctx, l)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.loads[l.Name].Intended, p.loads[l.Name].Sent = 2, 2
	}
	return err
}

func TestAReportCountsEveryCallOfItsLoad(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		report, err := Run(ctx, scenario(t, "pod-kill"), Target{Loads: prompt{w}, Workloads: w, Breakers: w}, opts)
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
