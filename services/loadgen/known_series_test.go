package loadgen

// Reproduces: the label `load` of sandbox_load_* is the name that a caller chose, and stays after StopLoad.

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func TestSeries_StoppedLoads(t *testing.T) {
	knownfailures.Listed(t)
	registry := prometheus.NewRegistry()
	s := newLoads(registry)
	defer s.close()
	for i := range 500 {
		name := fmt.Sprint("load-", i)
		_, err := s.start(name, "t", "m", 0, func(context.Context, int64) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.stop(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	families, _ := registry.Gather()
	n := 0
	for _, f := range families {
		n += len(f.GetMetric())
	}
	t.Logf("no load is running, %d series are exported", n)
	if n > 0 {
		t.Error("the series of stopped loads are never removed")
	}
}
