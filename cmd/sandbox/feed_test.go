package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// after is a source that takes a while, or until nobody waits for it any more.
func after[T any](ctx context.Context, wait time.Duration, v T) (T, error) {
	select {
	case <-time.After(wait):
		return v, nil
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

func fakeFeed() *feed {
	return &feed{
		name: "blue",
		edges: func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error) {
			return after(ctx, time.Second, []telemetry.Edge{{Caller: "loadgen", Rate: over.Seconds()}})
		},
		breakers: func(ctx context.Context) ([]telemetry.Breaker, error) {
			return after(ctx, 2*time.Second, []telemetry.Breaker{{Caller: "loadgen", State: telemetry.Open}})
		},
		pods: func(ctx context.Context, release string) ([]telemetry.Pod, error) {
			return after(ctx, time.Second, []telemetry.Pod{{Name: "userservice-1", Release: release}})
		},
		run: func() (*telemetry.Run, error) { return &telemetry.Run{Scenario: "pod-kill"}, nil },
	}
}

func TestASnapshotTakesAsLongAsTheSlowestSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		got, err := fakeFeed().Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %s", took)
		}
		want := telemetry.Snapshot{
			At: begun, Sandbox: "blue", Edges: []telemetry.Edge{{Caller: "loadgen", Rate: 10}},
			Breakers: []telemetry.Breaker{{Caller: "loadgen", State: telemetry.Open}},
			Pods:     []telemetry.Pod{{Name: "userservice-1"}}, Run: &telemetry.Run{Scenario: "pod-kill"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestASourceThatFailsEndsTheSnapshotAtOnce(t *testing.T) {
	lost := errors.New("lost")
	for source, harm := range map[string]func(*feed){
		"prometheus": func(f *feed) {
			f.edges = func(context.Context, time.Duration) ([]telemetry.Edge, error) { return nil, lost }
		},
		"the load generator": func(f *feed) { f.breakers = func(context.Context) ([]telemetry.Breaker, error) { return nil, lost } },
		"the cluster":        func(f *feed) { f.pods = func(context.Context, string) ([]telemetry.Pod, error) { return nil, lost } },
		"the run's file":     func(f *feed) { f.run = func() (*telemetry.Run, error) { return nil, lost } },
	} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begun := fakeFeed(), time.Now()
				harm(f)
				if _, err := f.Snapshot(t.Context()); !errors.Is(err, lost) || time.Since(begun) != 0 {
					t.Errorf("%v after %s", err, time.Since(begun))
				}
			})
		})
	}
}
