package tui

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// dataMsg gives a panel the data that its source returned.
type dataMsg struct {
	telemetry.Reading
	// missed is the number of readings that are missing before this one. It is 0 unless the data was stale.
	missed int
}

// sceneMsg gives a panel everything that it may draw besides its data. It is sent before each drawing of the panel.
type sceneMsg struct {
	now time.Time
	// health is the health of the panel's source.
	health health
	// paused is true if no source is read.
	paused bool
	// busy is the current frame of the spinner.
	busy string
	// command renders a command of this program for the user. If it is nil, commands are those for the default sandbox.
	command func(args []string) string
}

// phase is how far the data can be trusted.
func (s sceneMsg) phase() phase {
	p := s.health.phase(s.now)
	if s.paused && (p == ready || p == stale) {
		return paused
	}
	return p
}

// age is the age of the data.
func (s sceneMsg) age() string { return age(s.now.Sub(s.health.dataAt)) }

// retrying describes what the screen does about missing data, and why the data is missing.
func (s sceneMsg) retrying() string {
	switch {
	case s.health.attempt == 0:
		return "waiting for an answer"
	case s.paused:
		return fmt.Sprintf("paused after attempt %d: %s", s.health.attempt, s.health.reason)
	default:
		return fmt.Sprintf("reconnecting (attempt %d): %s", s.health.attempt, s.health.reason)
	}
}

// mark is the part of a panel's title that shows the age of stale data; empty for other data.
func (s sceneMsg) mark() string {
	if s.phase() == stale {
		return "▲ stale " + s.age()
	}
	return ""
}
