package telemetry

import (
	"context"
	"time"
)

// Source is the name of one source of a [Feed], as viewers show it. T is the type of the data that the source provides.
type Source[T any] string

// The sources.
const (
	Prometheus   Source[[]Edge]    = "Prometheus"
	ControlPlane Source[[]Breaker] = "control"
	Cluster      Source[[]Pod]     = "cluster"
	// Scenario provides nil before the first run.
	Scenario Source[*Run] = "run"
)

// Feed is everything that a viewer reads, one entry per source, in the order in which the sources are shown. The sources are read concurrently and
// each has a health of its own, so one that fails or hangs does not affect the others.
type Feed []Reader

// Reader reads one source. [Source.Reader] makes one.
type Reader struct {
	// Source is the name of the source.
	Source string
	// Read returns data of the source's type. It returns soon after ctx ends.
	Read func(ctx context.Context) (any, error)
}

// Reader returns the entry of a feed that reads s by calling read.
func (s Source[T]) Reader(read func(ctx context.Context) (T, error)) Reader {
	return Reader{string(s), func(ctx context.Context) (any, error) { return read(ctx) }}
}

// Reading is the result of reading one source once.
type Reading struct {
	// Source is the name of the source.
	Source string
	// At is when the read started. The data is at least as recent.
	At time.Time
	// Data is what the source returned; use [Source.Data] to get it with its type.
	Data any
	// Err is why there is no data.
	Err error
}

// Data returns the data of a reading. It reports false if the reading is of another source or failed.
func (s Source[T]) Data(r Reading) (data T, ok bool) {
	if r.Source != string(s) || r.Err != nil {
		return data, false
	}
	data, ok = r.Data.(T)
	return data, ok
}

// Find is [Source.Data] of the first of several readings that has data of s.
func (s Source[T]) Find(readings []Reading) (data T, ok bool) {
	for _, r := range readings {
		if data, ok = s.Data(r); ok {
			return data, true
		}
	}
	return data, false
}
