package telemetry

import (
	"context"
	"errors"
	"testing"
)

func TestSource_DataHasTheTypeOfItsSource(t *testing.T) {
	pods := Cluster.Reader(func(context.Context) ([]Pod, error) { return []Pod{{Name: "a"}}, nil })
	data, err := pods.Read(t.Context())
	got, ok := Cluster.Data(Reading{Source: pods.Source, Data: data, Err: err})
	if !ok || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("got %v, %v", got, ok)
	}
}

func TestSource_FindSkipsOtherAndFailedReadings(t *testing.T) {
	readings := []Reading{
		{Source: "run", Data: (*Run)(nil)},
		{Source: "cluster", Data: []Pod{{Name: "late"}}, Err: errors.New("lost")},
		{Source: "cluster", Data: "not a list of pods"},
		{Source: "cluster", Data: []Pod{{Name: "b"}}},
	}
	if got, ok := Cluster.Find(readings); !ok || got[0].Name != "b" {
		t.Errorf("pods: got %v, %v", got, ok)
	}
	if run, ok := Scenario.Find(readings); !ok || run != nil {
		t.Errorf("run: got %v, %v, want nil and true", run, ok)
	}
	if _, ok := Prometheus.Find(readings); ok {
		t.Error("edges were found, without a reading of them")
	}
}
