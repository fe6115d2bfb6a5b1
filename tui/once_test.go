package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestAsk_SourceThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		all := Ask(t.Context(), feedFunc(func(ctx context.Context, source telemetry.Source) (telemetry.Snapshot, error) {
			switch source {
			case telemetry.Prometheus:
				<-ctx.Done()
				return telemetry.Snapshot{}, ctx.Err()
			case telemetry.LoadGenerator:
				panic("broken feed")
			}
			return calm(), nil
		}))
		if took := time.Since(begun); took != readWithin {
			t.Errorf("it took %s", took)
		}
		if !errors.Is(all[telemetry.Prometheus].Err, context.DeadlineExceeded) || all[telemetry.LoadGenerator].Err == nil {
			t.Errorf("got %v, %v", all[telemetry.Prometheus].Err, all[telemetry.LoadGenerator].Err)
		}
		if a := all[telemetry.Cluster]; a.Err != nil || len(a.Snap.Pods) == 0 {
			t.Errorf("the cluster said %+v", a)
		}
	})
}

func TestStill_IsTheScreenWithoutItsKeys(t *testing.T) {
	var all Answers
	for i, a := range alive(tripped(), telemetry.Prometheus, 0) {
		all[i] = Answer{a.source, a.snap, a.err}
	}
	got := strings.Split(Still(all, Options{Name: "demo"}, noon, 80, 24), "\n")
	live := strings.Split(trimmed(screen(plainStyles(), alive(tripped(), telemetry.Prometheus, 0)).View()), "\n")
	if diff := cmp.Diff(live[:8], got[:8]); diff != "" {
		t.Errorf("(-screen +still)\n%s", diff)
	}
	if all := strings.Join(got, "\n"); strings.Contains(all, "quit") || !strings.Contains(all, "○ open") || !strings.Contains(all, "▸ steps") {
		t.Errorf("got\n%s", all)
	}
}
