package report

import (
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// TimelineLine formats an event for people who follow a run: one line, or more if it does not fit into 80 columns.
func TimelineLine(e telemetry.Event, started time.Time) string {
	first := fmt.Sprintf("  %6.1f s  %-8s ", e.At.Sub(started).Seconds(), text.Printable(e.Kind))
	subject := e.Subject
	if e.Detail != "" {
		subject += ": " + e.Detail
	}
	return text.Wrap(first, text.OneLine(subject))
}
