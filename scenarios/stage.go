package scenarios

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// A stage is what an action sees of the run.
type stage struct {
	target   Target
	scenario Scenario
	prefix   string // of the names of this run's loads on the generator
	step     int
	rates    map[string]Rate                              // of each load, now
	forecast *forecast                                    // what a plan expects of the world; nil while running
	heal     func(ctx context.Context, step string) error // nil in a plan
}

func newStage(sc Scenario, target Target) *stage {
	s := &stage{target: target, scenario: sc, rates: map[string]Rate{}}
	for _, l := range sc.Load {
		s.rates[l.Name] = l.Rate
	}
	return s
}

// random replays from the scenario's seed, whatever the other steps draw.
func (s *stage) random() *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d", s.step)
	return rand.New(rand.NewPCG(s.scenario.Seed, h.Sum64()))
}

// shareTo is which part of all intended calls goes straight to a release.
func (s *stage) shareTo(release string) Share {
	var to, all Rate
	for _, l := range s.scenario.Load {
		all += s.rates[l.Name]
		if l.Call.Service == release {
			to += s.rates[l.Name]
		}
	}
	if all == 0 {
		return 0
	}
	return Share(to / all)
}

func (s *stage) readyPods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	pods, err := s.target.Workloads.Pods(ctx, release)
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", release, err)
	}
	var ready []telemetry.Pod
	for _, p := range pods {
		if p.Ready {
			ready = append(ready, p)
		}
	}
	return ready, nil
}

// settled reports whether a release has no more pods than it wants, those that are still shutting down included: they may still serve callers.
func (s *stage) settled(ctx context.Context, release string) (bool, error) {
	wanted, err := s.target.Workloads.Replicas(ctx, release)
	if err != nil {
		return false, fmt.Errorf("reading replicas of %s: %w", release, err)
	}
	pods, err := s.target.Workloads.Pods(ctx, release)
	if err != nil {
		return false, fmt.Errorf("listing pods of %s: %w", release, err)
	}
	return len(pods) <= wanted, nil
}
