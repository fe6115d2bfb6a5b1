package loadgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// untilCancelled is a call that is never answered.
func untilCancelled(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() }

func TestStop_CancelsCallsWithoutAnswer(t *testing.T) {
	for what, stop := range map[string]func(*testing.T, *loads) error{
		"stop":  func(t *testing.T, s *loads) error { _, err := s.stop(t.Context(), "l"); return err },
		"close": func(_ *testing.T, s *loads) error { s.close(); return nil },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLoads(prometheus.NewRegistry())
				l, err := s.start("l", "t", "m", 10, untilCancelled)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				started := time.Now()
				if err := stop(t, s); err != nil {
					t.Error(err)
				}
				if took := time.Since(started); took != drainLimit {
					t.Errorf("stopping took %s", took)
				}
				stats, err := l.stats()
				if err != nil {
					t.Fatal(err)
				}
				if stats.GetSent() == 0 || stats.GetErrors()["CANCELLED"]+stats.GetErrors()["UNKNOWN"] != stats.GetSent() {
					t.Errorf("%d calls ended with %v", stats.GetSent(), stats.GetErrors())
				}
				s.close()
			})
		})
	}
}

func TestStart_RunsShareOneSeries(t *testing.T) {
	s := newLoads(prometheus.NewRegistry())
	defer s.close()
	for _, name := range []string{"run-1/browse", "run-2/browse", "browse"} {
		if _, err := s.start(name, "t", "m", 0, untilCancelled); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.start("run-1/browse", "t", "m", 0, untilCancelled); !errors.Is(err, errNameTaken) {
		t.Errorf("a taken name: %v", err)
	}
	metrics := make(chan prometheus.Metric, 10)
	s.intended.Collect(metrics)
	if n := len(metrics); n != 1 {
		t.Errorf("%d series", n)
	}
}
