package telemetry

import "time"

// Source is where one part of a Snapshot comes from. Each source is read on its own, so each part has its own age.
type Source int

// The sources, and the part that each one provides.
const (
	Prometheus    Source = iota // Edges
	LoadGenerator               // Breakers
	Cluster                     // Pods
	Scenario                    // Run
)

// Sources are all sources, in the order in which they are shown. An array with one value per Source has the length len(Sources).
var Sources = [...]Source{Prometheus, LoadGenerator, Cluster, Scenario}

func (s Source) String() string {
	return [len(Sources)]string{"Prometheus", "loadgen", "cluster", "run"}[s]
}

// Snapshot is what a viewer draws. A snapshot from one source has only the part of that source.
type Snapshot struct {
	// At is when the values were read.
	At       time.Time
	Edges    []Edge
	Breakers []Breaker
	Pods     []Pod
	Run      *Run
}

// With returns s with the part of one source replaced by that of another snapshot.
func (s Snapshot) With(source Source, from Snapshot) Snapshot {
	s.At = from.At
	switch source {
	case Prometheus:
		s.Edges = from.Edges
	case LoadGenerator:
		s.Breakers = from.Breakers
	case Cluster:
		s.Pods = from.Pods
	case Scenario:
		s.Run = from.Run
	}
	return s
}
