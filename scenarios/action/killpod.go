package action

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
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

func killPodKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "killPod",
			Doc:  "Deletes ready pods, chosen by the seed. Nothing has to be undone: Kubernetes replaces them.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "the release"),
				grammar.Optional("count", "whole number", "1", "how many pods; default 1"),
				grammar.Optional("gracePeriod", "duration", "0s", "how long a pod may take to finish its calls; default 0s, which is a crash"),
			},
			Decode: func(o grammar.Object) Action {
				return killPod{o.Text("release"), o.Whole("count", 1, 1), o.Duration("gracePeriod", 0)}
			},
		},
		Disturbs: true,
	}
}

func (a killPod) String() string { return fmt.Sprintf("kill %d of %s", a.Count, a.Release) }

func (a killPod) Changes() string { return a.Release }

func (a killPod) Validate() []grammar.Mistake { return tooManyPods("count", a.Count, 1) }

func (a killPod) Resolve(ctx context.Context, c Context) (Effect, error) {
	ready, total, err := c.readyPods(ctx, a.Release)
	if err != nil {
		return Effect{}, err
	}
	if total < a.Count {
		return Effect{}, &TooFewPodsError{
			Text: fmt.Sprintf("killing %d pods of %s: %d ready", a.Count, a.Release, total),
			Try:  []remedy.Remedy{remedy.Command("status"), remedy.Advice("lower count or raise the replicas of " + a.Release)},
		}
	}
	victims := choose(c.random(), ready, min(a.Count, len(ready)))
	return Effect{
		Detail:  fmt.Sprintf("kill %s (%d of %d ready pods of %s, grace %s)", strings.Join(victims, ", "), a.Count, total, a.Release, a.Grace),
		Touches: report.BlastRadius{Pods: a.Count, OfPods: total, Share: c.shareTo(a.Release) * target.Share(a.Count) / target.Share(total)},
		Settled: func(ctx context.Context) (bool, error) { return c.gone(ctx, a.Release, victims) },
		Do: func(ctx context.Context) error {
			for _, pod := range victims {
				if err := c.Target.Workloads.Kill(ctx, pod, a.Grace); err != nil {
					return fmt.Errorf("killing pod %s: %w", pod, err)
				}
			}
			return nil
		},
	}, nil
}

// gone reports whether none of the pods is listed any more.
func (c Context) gone(ctx context.Context, release string, victims []string) (bool, error) {
	pods, err := c.pods(ctx, release)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(pods, func(p telemetry.Pod) bool { return slices.Contains(victims, p.Name) }), nil
}

// choose picks n names. The result does not depend on the order of the pods.
func choose(r *rand.Rand, pods []telemetry.Pod, n int) []string {
	sorted := slices.SortedFunc(slices.Values(pods), func(a, b telemetry.Pod) int { return cmp.Compare(a.Name, b.Name) })
	names := make([]string, 0, n)
	for _, i := range r.Perm(len(sorted))[:n] {
		names = append(names, sorted[i].Name)
	}
	slices.Sort(names)
	return names
}

// tooManyPods finds numbers of pods that no node can hold.
func tooManyPods(field string, pods, instead int) []grammar.Mistake {
	if pods <= target.MaxPods {
		return nil
	}
	return []grammar.Mistake{{
		Field:   field,
		Message: fmt.Sprintf("%d pods are more than a node can hold, which is %d", pods, target.MaxPods),
		Remedy:  remedy.Value(fmt.Sprintf("%s: %d", field, instead)),
	}}
}
