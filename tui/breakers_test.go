package tui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

func TestBreakers_Golden(t *testing.T) {
	goldenPanel(t, "breakers", "Breakers", append(phaseStates(arrives(tripped()), arrives(snapshot{At: noon})),
		state{"closed", []tea.Msg{arrives(calm())}},
		state{"long names", []tea.Msg{arrives(endless())}},
	))
}
