package action

import (
	"context"
	"fmt"
	"strconv"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type scale struct {
	Release  string
	Replicas int
}

func scaleKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "scale",
			Doc:  "Sets how many replicas a release wants. Undoing restores the number from before.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "the release"),
				grammar.Required("replicas", "whole number", "0", "how many pods it wants from now on; 0 takes it down"),
			},
			Decode: func(o grammar.Object) Action { return scale{o.Text("release"), o.Whole("replicas", 0, 0)} },
		},
		Disturbs: true,
		ReadUndo: ReversalOf[scaleBack],
	}
}

func (a scale) String() string { return fmt.Sprintf("scale %s to %d", a.Release, a.Replicas) }

func (a scale) Changes() string { return a.Release }

func (a scale) Validate() []grammar.Mistake { return tooManyPods("replicas", a.Replicas, 5) }

func (a scale) Resolve(ctx context.Context, c Context) (Effect, error) {
	before, err := c.replicas(ctx, a.Release)
	if err != nil {
		return Effect{}, err
	}
	touches := report.BlastRadius{Pods: max(a.Replicas-before, before-a.Replicas), OfPods: before}
	if lost := before - a.Replicas; lost > 0 {
		touches.Share = c.shareTo(a.Release) * target.Share(lost) / target.Share(before)
	}
	settled := func(ctx context.Context) (bool, error) { return c.settled(ctx, a.Release) }
	return Effect{
		Detail:  fmt.Sprintf("scale %s from %d to %d", a.Release, before, a.Replicas),
		Touches: touches,
		Undo:    scaleBack{a.Release, before, &a.Replicas},
		Assumes: Assumption{Replicas: map[string]int{a.Release: a.Replicas}},
		Settled: settled, UndoSettled: settled,
		Do: func(ctx context.Context) error {
			if err := c.Target.Workloads.Scale(ctx, a.Release, a.Replicas); err != nil {
				return fmt.Errorf("scaling %s to %d: %w", a.Release, a.Replicas, err)
			}
			return nil
		},
	}, nil
}

// scaleBack restores the number of replicas that were wanted before.
type scaleBack struct {
	Release  string `json:"release"`
	Replicas int    `json:"replicas"`
	// Set is the number that the step set. It is absent in the first version of the journal.
	Set *int `json:"set,omitempty"`
}

func (b scaleBack) Subject() string { return "replicas of " + b.Release }

func (b scaleBack) Field() string { return "Deployment/" + b.Release + " spec.replicas" }

func (b scaleBack) ChangedRelease() string { return b.Release }

func (b scaleBack) Rebase(below Reversal) Reversal {
	b.Replicas = below.(scaleBack).Replicas
	return b
}

func (b scaleBack) Restore(ctx context.Context, t target.Target) error {
	now, err := t.Workloads.Replicas(ctx, b.Release)
	switch {
	case err != nil:
		return fmt.Errorf("reading replicas of %s: %w", b.Release, err)
	case now == b.Replicas:
		return nil
	case b.Set != nil && now != *b.Set:
		return &ChangedError{Subject: b.Subject(), Is: strconv.Itoa(now), Set: strconv.Itoa(*b.Set)}
	}
	if err := t.Workloads.Scale(ctx, b.Release, b.Replicas); err != nil {
		return fmt.Errorf("scaling %s back to %d: %w", b.Release, b.Replicas, err)
	}
	return nil
}
