package loadgen

import (
	"context"
	"errors"
	"fmt"
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

// series returns the number of series in a registry.
func series(t *testing.T, registry *prometheus.Registry) (n int) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}

func TestSeries_StoppedLoads(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newLoads(registry)
	defer s.close()
	for i := range 500 {
		name := fmt.Sprint("load-", i)
		if _, err := s.start(name, "t", "m", 1000, func(context.Context, int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.stop(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if n := series(t, registry); n != 0 {
		t.Errorf("no load is running, and there are %d series", n)
	}
}

func TestSeries_SharedByRuns(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newLoads(registry)
	defer s.close()
	names := []string{"run-1/browse", "run-2/browse", "buy"}
	for _, name := range names {
		if _, err := s.start(name, "t", "m", 0, untilCancelled); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{2, 1, 0} {
		if _, err := s.stop(t.Context(), names[i]); err != nil {
			t.Fatal(err)
		}
		if n := series(t, registry); n != want {
			t.Errorf("%d series after %s was stopped, want %d", n, names[i], want)
		}
	}
}
