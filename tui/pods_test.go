package tui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

func TestPods_Golden(t *testing.T) {
	goldenPanel(t, "pods", "Pods", append(phaseStates(arrives(tripped()), arrives(snapshot{At: noon})),
		state{"all ready", []tea.Msg{arrives(calm())}},
		state{"long names", []tea.Msg{arrives(endless())}},
		state{"scrolled", []tea.Msg{arrives(crowd()), press("down"), press("down"), press("down")}},
	))
}
