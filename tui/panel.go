package tui

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// focusMsg tells a panel whether the keys are for it.
type focusMsg bool

// panel is one part of the screen. View is pure in what Update and SetSize have set, and exactly as large.
type panel interface {
	Update(msg tea.Msg) panel
	View() string
	SetSize(width, height int) panel
	Keys() []key.Binding
}

// slot is a panel's place: its column when there are two, and its share of the column's height. The panel draws the data of one source.
type slot struct {
	right  bool
	share  int
	source telemetry.Source
	new    func(Styles) panel
}

// slots are all the panels, in the order of tab.
func slots() []slot {
	return []slot{
		{share: 4, source: telemetry.Prometheus, new: newCalls},
		{share: 3, source: telemetry.LoadGenerator, new: newBreakers},
		{right: true, share: 3, source: telemetry.Cluster, new: newPods},
		{right: true, share: 3, source: telemetry.Scenario, new: newTimeline},
	}
}
