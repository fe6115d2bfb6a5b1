package live

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// after returns v after a while, or the error of ctx if that ends earlier.
func after[T any](ctx context.Context, wait time.Duration, v T) (T, error) {
	return v, pause.For(ctx, wait)
}

func fakeSources() sources {
	return sources{
		edges: func(ctx context.Context, over time.Duration) ([]telemetry.Edge, error) {
			return after(ctx, time.Second, []telemetry.Edge{{Caller: "loadgen", Rate: over.Seconds()}})
		},
		breakers: func(ctx context.Context) ([]telemetry.Breaker, error) {
			return after(ctx, 2*time.Second, []telemetry.Breaker{{Caller: "loadgen", State: telemetry.Open}})
		},
		pods: func(ctx context.Context, release string) ([]telemetry.Pod, error) {
			return after(ctx, time.Second, []telemetry.Pod{{Name: "userservice-1", Release: release}})
		},
		run: func() (*telemetry.Run, error) { return &telemetry.Run{Scenario: "mine"}, nil },
	}
}

// reader returns the entry of a source.
func reader[T any](t *testing.T, s sources, source telemetry.Source[T]) telemetry.Reader {
	t.Helper()
	for _, r := range s.feed() {
		if r.Source == string(source) {
			return r
		}
	}
	t.Fatalf("%s is not in the feed", source)
	return telemetry.Reader{}
}

func TestFeed_ReadsEachSourceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var all sync.WaitGroup
		for _, c := range []struct {
			reader telemetry.Reader
			takes  time.Duration
			want   any
		}{
			{reader(t, fakeSources(), telemetry.Prometheus), time.Second, []telemetry.Edge{{Caller: "loadgen", Rate: 10}}},
			{reader(t, fakeSources(), telemetry.ControlPlane), 2 * time.Second, []telemetry.Breaker{{Caller: "loadgen", State: telemetry.Open}}},
			{reader(t, fakeSources(), telemetry.Cluster), time.Second, []telemetry.Pod{{Name: "userservice-1"}}},
			{reader(t, fakeSources(), telemetry.Scenario), 0, &telemetry.Run{Scenario: "mine"}},
		} {
			all.Go(func() {
				got, err := c.reader.Read(t.Context())
				if took := time.Since(started); err != nil || took != c.takes {
					t.Errorf("%s: %v after %s, want %s", c.reader.Source, err, took, c.takes)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", c.reader.Source, diff)
				}
			})
		}
		all.Wait()
	})
}

func TestFeed_FailureOfOneSourceLeavesTheOthers(t *testing.T) {
	lost := errors.New("lost")
	for source, fail := range map[string]func(*sources){
		string(telemetry.Prometheus): func(s *sources) {
			s.edges = func(context.Context, time.Duration) ([]telemetry.Edge, error) { return nil, lost }
		},
		string(telemetry.ControlPlane): func(s *sources) {
			s.breakers = func(context.Context) ([]telemetry.Breaker, error) { return nil, lost }
		},
		string(telemetry.Cluster): func(s *sources) {
			s.pods = func(context.Context, string) ([]telemetry.Pod, error) { return nil, lost }
		},
		string(telemetry.Scenario): func(s *sources) { s.run = func() (*telemetry.Run, error) { return nil, lost } },
	} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeSources()
				fail(&s)
				readers := []telemetry.Reader{reader(t, s, telemetry.Prometheus), reader(t, s, telemetry.ControlPlane),
					reader(t, s, telemetry.Cluster), reader(t, s, telemetry.Scenario)}
				for _, r := range readers {
					if _, err := r.Read(t.Context()); errors.Is(err, lost) != (r.Source == source) {
						t.Errorf("%s: %v", r.Source, err)
					}
				}
			})
		})
	}
}
