package live

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// after returns v after a while, or earlier if ctx ends.
func after[T any](ctx context.Context, wait time.Duration, v T) (T, error) {
	select {
	case <-time.After(wait):
		return v, nil
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

func fakeFeed() *Feed {
	return &Feed{
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

func TestFeed_ReadsEachSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var all sync.WaitGroup
		for source, c := range map[telemetry.Source]struct {
			takes time.Duration
			want  telemetry.Snapshot
		}{
			telemetry.Prometheus:    {time.Second, telemetry.Snapshot{At: begun, Edges: []telemetry.Edge{{Caller: "loadgen", Rate: 10}}}},
			telemetry.LoadGenerator: {2 * time.Second, telemetry.Snapshot{At: begun, Breakers: []telemetry.Breaker{{Caller: "loadgen", State: telemetry.Open}}}},
			telemetry.Cluster:       {time.Second, telemetry.Snapshot{At: begun, Pods: []telemetry.Pod{{Name: "userservice-1"}}}},
			telemetry.Scenario:      {0, telemetry.Snapshot{At: begun, Run: &telemetry.Run{Scenario: "pod-kill"}}},
		} {
			all.Go(func() {
				got, err := fakeFeed().Read(t.Context(), source)
				if took := time.Since(begun); err != nil || took != c.takes {
					t.Errorf("%s: %v after %s, want %s", source, err, took, c.takes)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", source, diff)
				}
			})
		}
		all.Wait()
	})
}

func TestFeed_FailedSourceAffectsNoOther(t *testing.T) {
	lost := errors.New("lost")
	for source, harm := range map[telemetry.Source]func(*Feed){
		telemetry.Prometheus: func(f *Feed) {
			f.edges = func(context.Context, time.Duration) ([]telemetry.Edge, error) { return nil, lost }
		},
		telemetry.LoadGenerator: func(f *Feed) { f.breakers = func(context.Context) ([]telemetry.Breaker, error) { return nil, lost } },
		telemetry.Cluster:       func(f *Feed) { f.pods = func(context.Context, string) ([]telemetry.Pod, error) { return nil, lost } },
		telemetry.Scenario:      func(f *Feed) { f.run = func() (*telemetry.Run, error) { return nil, lost } },
	} {
		t.Run(source.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fakeFeed()
				harm(f)
				for _, s := range telemetry.Sources {
					if _, err := f.Read(t.Context(), s); errors.Is(err, lost) != (s == source) {
						t.Errorf("%s: %v", s, err)
					}
				}
			})
		})
	}
}
