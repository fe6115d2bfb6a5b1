package scenarios

import (
	"context"
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// A forecast is what a plan expects of the world after the steps so far. Changes of one thing are a stack: healing takes one out, and the value is that
// of the topmost one left, or else the one from before the run.
type forecast struct{ changes []foreseen }

// foreseen is a change that a step makes: of a release's replicas, or of a load's rate.
type foreseen struct {
	step          int
	release, load string
	value         float64
}

func (f *forecast) change(step int, release, load string, value float64) {
	if f != nil {
		f.changes = append(f.changes, foreseen{step, release, load, value})
	}
}

// replicas is how many pods a release will want; not known when no step in force changes it.
func (f *forecast) replicas(release string) (int, bool) {
	if f == nil {
		return 0, false
	}
	for _, c := range slices.Backward(f.changes) {
		if c.release == release {
			return int(c.value), true
		}
	}
	return 0, false
}

// heal takes out what a step changed.
func (f *forecast) heal(step string, s *stage) {
	if f == nil {
		return
	}
	f.changes = slices.DeleteFunc(f.changes, func(c foreseen) bool { return s.scenario.Steps[c.step].Name == step })
	for _, l := range s.scenario.Load {
		s.rates[l.Name] = l.Rate
	}
	for _, c := range f.changes {
		if c.load != "" {
			s.rates[c.load] = Rate(c.value)
		}
	}
}

// reachable refuses to wait for more ready pods than a release will want at that point.
func (r *run) reachable(ctx context.Context, look *stage, step int, x expect.Expectation) error {
	about, ok := x.(expect.OfPods)
	if !ok {
		return nil
	}
	release, want := about.Pods()
	n, foreseen := look.forecast.replicas(release)
	if !foreseen {
		was, err := r.countOf(ctx, release)
		if err != nil {
			return err
		}
		n = was.replicas
	}
	switch {
	case n >= want:
		return nil
	case !foreseen: // the file is not wrong
		return &HintError{fmt.Errorf("waiting for %d ready pods of %s: it wants %d", want, release, n), "sandbox status, then sandbox up"}
	}
	path := r.conditionPath(fmt.Sprintf("spec.steps[%d].waitFor", step))
	return r.misplanned(path+".replicas", fmt.Sprintf("try: replicas: %d, or scale it first", max(1, n)),
		"%d pods of %s will never be ready: it will want %d at that point", want, release, n)
}

// roomFor refuses to scale a release to more pods than the node has room for.
func (r *run) roomFor(ctx context.Context, step int, a Action, before int) error {
	to, ok := a.(scale)
	if !ok || to.Replicas <= before || r.Room == nil {
		return nil
	}
	room, err := r.Room(ctx, to.Release)
	if err != nil {
		return fmt.Errorf("asking for room on the node: %w", err)
	}
	if to.Replicas-before <= room {
		return nil
	}
	return r.misplanned(fmt.Sprintf("spec.steps[%d].scale.replicas", step), fmt.Sprintf("try: replicas: %d", before+room),
		"the node has room for %d more pods of %s beside the %d there are, not for %d", room, to.Release, before, to.Replicas-before)
}

// misplanned is a mistake in the file that only the world as it is shows.
func (r *run) misplanned(path, remedy, format string, args ...any) error {
	p := problems{sc: r.Scenario}
	p.add(path, remedy, format, args...)
	return grammar.NewFileError(p.all)
}
