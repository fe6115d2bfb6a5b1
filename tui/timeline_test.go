package tui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestTimeline_Golden(t *testing.T) {
	ended := func(phase, result string) []tea.Msg {
		s := tripped()
		s.Run.Phase, s.Run.Result = phase, result
		return []tea.Msg{arrives(s)}
	}
	goldenPanel(t, "scenario", "Scenario", append(phaseStates(arrives(tripped()), arrives(snapshot{At: noon})),
		state{"done", ended("done", "pass")},
		state{"done without success", ended("done", "fail")},
		state{"killed", ended("steps", telemetry.Killed)},
		state{"long names", []tea.Msg{arrives(endless())}},
	))
}
