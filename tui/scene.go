package tui

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// sceneMsg gives a panel everything it may draw. It comes whenever something has changed that the panel draws.
type sceneMsg struct {
	now     time.Time
	snap    telemetry.Snapshot
	health  [len(telemetry.Sources)]health
	paused  bool // nothing is asked for
	history rates
	busy    string // one frame of the spinner
}

// phase is how far the data of a source can be trusted.
func (s sceneMsg) phase(source telemetry.Source) phase {
	p := s.health[source].phase(s.now)
	if s.paused && (p == ready || p == stale) {
		return paused
	}
	return p
}

// age is how old the shown data of a source is.
func (s sceneMsg) age(source telemetry.Source) string { return age(s.now.Sub(s.health[source].dataAt)) }

// retrying says what the screen is doing about missing data, and why it is missing.
func (s sceneMsg) retrying(source telemetry.Source) string {
	switch h := s.health[source]; {
	case h.attempt == 0:
		return "waiting for an answer"
	case s.paused:
		return fmt.Sprintf("paused after attempt %d: %s", h.attempt, h.reason)
	default:
		return fmt.Sprintf("reconnecting (attempt %d): %s", h.attempt, h.reason)
	}
}

// mark is what a panel's title says about the age of its data.
func (s sceneMsg) mark(source telemetry.Source) string {
	if s.phase(source) == stale {
		return "▲ stale " + s.age(source)
	}
	return ""
}
