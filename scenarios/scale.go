package scenarios

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

// scaleBack is how many replicas were wanted before.
type scaleBack struct {
	Release  string `json:"release"`
	Replicas int    `json:"replicas"`
	Set      *int   `json:"set,omitempty"` // what the step made of them; the first version of the journal does not say
}

func (b scaleBack) subject() string { return "replicas of " + b.Release }

// field is the field of an object that holds the replicas: as long as the run holds it, it differs from its manifest.
func (b scaleBack) field() string { return "Deployment/" + b.Release + " spec.replicas" }

func (b scaleBack) over(below reversal) reversal {
	b.Replicas = below.(scaleBack).Replicas
	return b
}

func (b scaleBack) putBack(ctx context.Context, t Target) error {
	now, err := t.Workloads.Replicas(ctx, b.Release)
	switch {
	case err != nil:
		return fmt.Errorf("reading replicas of %s: %w", b.Release, err)
	case now == b.Replicas:
		return nil
	case b.Set != nil && now != *b.Set:
		return &changedError{subject: b.subject(), is: strconv.Itoa(now), set: strconv.Itoa(*b.Set)}
	}
	if err := t.Workloads.Scale(ctx, b.Release, b.Replicas); err != nil {
		return fmt.Errorf("scaling %s back to %d: %w", b.Release, b.Replicas, err)
	}
	return nil
}

func scaleKind() ActionKind {
	return ActionKind{
		Kind: grammar.Kind[Action]{
			Name: "scale",
			Doc:  "Sets how many replicas a release wants. Undoing restores the number it wanted before.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "what to scale"),
				grammar.Required("replicas", "whole number", "0", "how many it shall want; 0 takes it down"),
			},
			Decode: func(o grammar.Object) Action { return scale{o.Text("release"), o.Whole("replicas", 0, 0)} },
		},
		Disturbs: true,
		undo:     reversalOf[scaleBack],
	}
}

func (a scale) String() string { return fmt.Sprintf("scale %s to %d", a.Release, a.Replicas) }

func (a scale) changes() string { return a.Release }

func (a scale) resolve(ctx context.Context, s *stage) (deed, error) {
	before, err := s.target.Workloads.Replicas(ctx, a.Release)
	if err != nil {
		return deed{}, fmt.Errorf("reading replicas of %s: %w", a.Release, err)
	}
	if n, ok := s.forecast.replicas(a.Release); ok {
		before = n
	}
	s.forecast.change(s.step, a.Release, "", float64(a.Replicas))
	changed := max(a.Replicas-before, before-a.Replicas)
	touch := report.BlastRadius{Pods: changed, OfPods: before}
	if lost := before - a.Replicas; lost > 0 {
		touch.Share = s.shareTo(a.Release) * Share(lost) / Share(before)
	}
	return deed{
		detail: fmt.Sprintf("scale %s from %d to %d", a.Release, before, a.Replicas),
		touch:  touch,
		undo:   scaleBack{a.Release, before, &a.Replicas},
		took:   func(ctx context.Context) (bool, error) { return s.settled(ctx, a.Release) },
		back:   func(ctx context.Context) (bool, error) { return s.settled(ctx, a.Release) },
		do: func(ctx context.Context) error {
			if err := s.target.Workloads.Scale(ctx, a.Release, a.Replicas); err != nil {
				return fmt.Errorf("scaling %s to %d: %w", a.Release, a.Replicas, err)
			}
			return nil
		},
	}, nil
}

func (a scale) Validate() []grammar.Mistake {
	if a.Replicas <= target.MaxPods {
		return nil
	}
	return []grammar.Mistake{{
		Field:   "replicas",
		Message: fmt.Sprintf("%d pods are more than a node can hold, which is %d", a.Replicas, target.MaxPods),
		Remedy:  "try: replicas: 5",
	}}
}
