package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type killPod struct {
	Release string
	Count   int
	Grace   time.Duration
}

func killPodKind() ActionKind {
	return ActionKind{
		Kind: grammar.Kind[Action]{
			Name: "killPod",
			Doc:  "Deletes ready pods, chosen by the seed. Nothing has to be undone: Kubernetes replaces them.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "whose pods"),
				grammar.Optional("count", "whole number", "1", "how many; 1 unless given"),
				grammar.Optional("gracePeriod", "duration", "0s", "what a pod gets to finish its calls; 0s, a crash, unless given"),
			},
			Decode: func(o grammar.Object) Action {
				return killPod{o.Text("release"), o.Whole("count", 1, 1), o.Duration("gracePeriod", 0)}
			},
		},
		Disturbs: true,
	}
}

func (a killPod) String() string { return fmt.Sprintf("kill %d of %s", a.Count, a.Release) }

func (a killPod) changes() string { return a.Release }

func (a killPod) resolve(ctx context.Context, s *stage) (deed, error) {
	ready, err := s.readyPods(ctx, a.Release)
	if err != nil {
		return deed{}, err
	}
	total := len(ready)
	if n, ok := s.forecast.replicas(a.Release); ok {
		total = n
	}
	if total < a.Count {
		return deed{}, &HintError{
			fmt.Errorf("killing %d pods of %s: %d ready", a.Count, a.Release, total),
			"sandbox status, then lower count or raise the replicas of " + a.Release,
		}
	}
	victims := choose(s.random(), ready, min(a.Count, len(ready)))
	return deed{
		detail: fmt.Sprintf("kill %s (%d of %d ready pods of %s, grace %s)", strings.Join(victims, ", "), a.Count, total, a.Release, a.Grace),
		touch:  report.BlastRadius{Pods: a.Count, OfPods: total, Share: s.shareTo(a.Release) * Share(a.Count) / Share(total)},
		took:   func(ctx context.Context) (bool, error) { return s.gone(ctx, a.Release, victims) },
		do: func(ctx context.Context) error {
			for _, pod := range victims {
				if err := s.target.Workloads.Kill(ctx, pod, a.Grace); err != nil {
					return fmt.Errorf("killing pod %s: %w", pod, err)
				}
			}
			return nil
		},
	}, nil
}

// gone reports whether none of the pods is left.
func (s *stage) gone(ctx context.Context, release string, victims []string) (bool, error) {
	pods, err := s.target.Workloads.Pods(ctx, release)
	if err != nil {
		return false, fmt.Errorf("listing pods of %s: %w", release, err)
	}
	return !slices.ContainsFunc(pods, func(p telemetry.Pod) bool { return slices.Contains(victims, p.Name) }), nil
}

// choose picks n names; the order in which the pods are listed does not matter.
func choose(r *rand.Rand, pods []telemetry.Pod, n int) []string {
	sorted := slices.SortedFunc(slices.Values(pods), func(a, b telemetry.Pod) int { return cmp.Compare(a.Name, b.Name) })
	names := make([]string, 0, n)
	for _, i := range r.Perm(len(sorted))[:n] {
		names = append(names, sorted[i].Name)
	}
	slices.Sort(names)
	return names
}

func (a killPod) Validate() []grammar.Mistake {
	if a.Count <= target.MaxPods {
		return nil
	}
	return []grammar.Mistake{{
		Field:   "count",
		Message: fmt.Sprintf("%d pods are more than a node can hold, which is %d", a.Count, target.MaxPods),
		Remedy:  "try: count: 1",
	}}
}
