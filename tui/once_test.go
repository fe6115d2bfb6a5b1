package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestAsk_LimitsAHangingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		all := Ask(t.Context(), feedOf(func(ctx context.Context, source string) (snapshot, error) {
			switch source {
			case string(telemetry.Prometheus):
				<-ctx.Done()
				return snapshot{}, ctx.Err()
			case string(telemetry.ControlPlane):
				panic("broken feed")
			}
			return calm(), nil
		}))
		if took := time.Since(started); took != readWithin {
			t.Errorf("it took %s", took)
		}
		if !errors.Is(all[0].Err, context.DeadlineExceeded) || all[1].Err == nil {
			t.Errorf("got %v, %v", all[0].Err, all[1].Err)
		}
		if pods, ok := telemetry.Cluster.Data(all[2]); !ok || len(pods) == 0 {
			t.Errorf("the cluster returned %+v", all[2])
		}
	})
}

func TestStill_HasNoKeys(t *testing.T) {
	var all []telemetry.Reading
	for _, a := range alive(tripped(), string(telemetry.Prometheus), 0) {
		all = append(all, a.Reading)
	}
	got := strings.Split(Still(all, Options{Name: "demo"}, noon, 80, 24), "\n")
	// The screen has one line more, for its keys.
	m := screen(plainStyles(), tea.WindowSizeMsg{Width: 80, Height: 25}, alive(tripped(), string(telemetry.Prometheus), 0))
	live := strings.Split(trimmed(m.View()), "\n")
	if diff := cmp.Diff(live[:24], got[:24]); diff != "" {
		t.Errorf("(-screen +still)\n%s", diff)
	}
	if all := strings.Join(got, "\n"); strings.Contains(all, "quit") || !strings.Contains(all, "○ open") || !strings.Contains(all, "▸ steps") {
		t.Errorf("got\n%s", all)
	}
}
