package action

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Context is what an action sees of its run.
type Context struct {
	// Target is the cluster. Loads are addressed by their names in the scenario.
	Target target.Target
	// Loads are the loads of the scenario as in its file, with the rates before any step.
	Loads []target.LoadSpec
	// LoadPrefix is the prefix of the loads' names on the generator.
	LoadPrefix string
	// Seed is that of the scenario, which random choices depend on.
	Seed uint64
	// Step is the index of the step.
	Step int
	// Assumed is what the earlier steps have changed, or would change while planning.
	Assumed State
	// Planning is true while nothing has been done yet. What earlier steps change is then assumed, because it cannot be read from the cluster.
	Planning bool

	// UndoStep undoes an earlier step. It is nil while planning.
	UndoStep func(ctx context.Context, step string) error
}

// random returns a source that depends on the scenario's seed and the step only, not on what other steps draw.
func (c Context) random() *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d", c.Step)
	return rand.New(rand.NewPCG(c.Seed, h.Sum64()))
}

// rate returns the rate of a load after the steps so far.
func (c Context) rate(load string) target.Rate {
	if r, ok := c.Assumed.Rate(load); ok {
		return r
	}
	for _, l := range c.Loads {
		if l.Name == load {
			return l.Rate
		}
	}
	return 0
}

// shareOf returns the part of all intended calls that match, by rate.
func (c Context) shareOf(match func(target.LoadSpec) bool) target.Share {
	var some, all target.Rate
	for _, l := range c.Loads {
		r := c.rate(l.Name)
		all += r
		if match(l) {
			some += r
		}
	}
	if all == 0 {
		return 0
	}
	return target.Share(some / all)
}

// shareTo returns the part of all intended calls that goes directly to a release, or through it if it is the gateway.
func (c Context) shareTo(release string) target.Share {
	return c.shareOf(func(l target.LoadSpec) bool {
		return l.Call.Service == release || release == target.Gateway && l.Partner() != ""
	})
}

// replicas returns how many pods a release wants, which while planning is after the steps so far.
func (c Context) replicas(ctx context.Context, release string) (int, error) {
	n, err := c.Target.Workloads.Replicas(ctx, release)
	if err != nil {
		return 0, fmt.Errorf("reading replicas of %s: %w", release, err)
	}
	if assumed, ok := c.Assumed.Replicas(release); ok && c.Planning {
		n = assumed
	}
	return n, nil
}

// readyPods returns the pods of a release that are ready now, and how many are ready when the step is reached. The two differ only while planning.
func (c Context) readyPods(ctx context.Context, release string) (ready []telemetry.Pod, n int, err error) {
	pods, err := c.pods(ctx, release)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range pods {
		if p.Ready {
			ready = append(ready, p)
		}
	}
	if assumed, ok := c.Assumed.Replicas(release); ok && c.Planning {
		return ready, assumed, nil
	}
	return ready, len(ready), nil
}

func (c Context) pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	pods, err := c.Target.Workloads.Pods(ctx, release)
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", release, err)
	}
	return pods, nil
}

// settled reports whether a release has no more pods than it wants. Pods that are shutting down count, because they may still serve callers.
func (c Context) settled(ctx context.Context, release string) (bool, error) {
	wanted, err := c.Target.Workloads.Replicas(ctx, release)
	if err != nil {
		return false, fmt.Errorf("reading replicas of %s: %w", release, err)
	}
	pods, err := c.pods(ctx, release)
	return len(pods) <= wanted, err
}
