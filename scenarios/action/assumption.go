package action

import (
	"maps"
	"slices"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Assumption is what is assumed of the cluster once an effect is done. The zero value assumes that everything is as before.
type Assumption struct {
	// Replicas is the number of pods that each release will want. An action that sets it must have a field called replicas, to which errors point.
	Replicas map[string]int
	// Rates is the rate that each load will have.
	Rates map[string]target.Rate
	// Undoes is the name of the earlier step that is undone.
	Undoes string
}

// State is what is assumed of the cluster after some steps. The zero value is the state before the first step.
//
// Changes of one value are a stack: undoing a step takes its change out, and the value is that of the topmost change that is left.
type State struct{ changes []change }

type change struct {
	step string
	Assumption
}

// With returns the state after a step. It does not modify s.
func (s State) With(step string, a Assumption) State {
	changes := slices.Clone(s.changes)
	if a.Undoes != "" {
		changes = slices.DeleteFunc(changes, func(c change) bool { return c.step == a.Undoes })
	}
	if len(a.Replicas)+len(a.Rates) > 0 {
		changes = append(changes, change{step, Assumption{Replicas: maps.Clone(a.Replicas), Rates: maps.Clone(a.Rates)}})
	}
	return State{changes}
}

// Replicas returns how many pods a release will want. It is not known if no step in force changes it.
func (s State) Replicas(release string) (int, bool) {
	return latest(s, func(a Assumption) map[string]int { return a.Replicas }, release)
}

// Rate returns the rate that a load will have. It is not known if no step in force changes it.
func (s State) Rate(load string) (target.Rate, bool) {
	return latest(s, func(a Assumption) map[string]target.Rate { return a.Rates }, load)
}

func latest[T any](s State, values func(Assumption) map[string]T, name string) (v T, known bool) {
	for _, c := range slices.Backward(s.changes) {
		if v, known = values(c.Assumption)[name]; known {
			return v, true
		}
	}
	return v, false
}
