package tui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

func TestCalls_Golden(t *testing.T) {
	goldenPanel(t, "calls", "Calls", append(phaseStates(arrives(tripped()), arrives(snapshot{At: noon})),
		state{"history", rising()},
		state{"no errors", []tea.Msg{arrives(calm())}},
		state{"long names", []tea.Msg{arrives(endless())}},
		state{"by rate", []tea.Msg{arrives(tripped()), press("s")}},
		state{"scrolled", []tea.Msg{arrives(shop()), press("down")}},
	))
}
