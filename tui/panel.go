package tui

import (
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// focusMsg gives a panel the focus or takes it away. Key messages are sent to the panel that has the focus.
type focusMsg bool

// panel is one part of the screen.
type panel interface {
	// Update returns the panel after a message, and a command or nil. The message of the command is sent to all panels.
	Update(msg tea.Msg) (panel, tea.Cmd)
	// View depends only on what Update and SetSize have set. It has exactly the size of the panel.
	View() string
	// SetSize sets the size in cells. At height 0 the panel is not shown.
	SetSize(width, height int) panel
	// Keys are the keys that the help shows while the panel has the focus.
	Keys() []key.Binding
}

// slot is the place of a panel.
type slot struct {
	// right places the panel in the right column, if there are two.
	right bool
	// share is the weight of the panel when the height of the column is divided.
	share int
	// source is the source whose data the panel draws.
	source string
	new    func(Styles) panel
}

// slots returns all panels, in the order of the tab key.
func slots() []slot {
	return []slot{
		{share: 4, source: string(telemetry.Prometheus), new: newCalls},
		{share: 3, source: string(telemetry.ControlPlane), new: newBreakers},
		{right: true, share: 3, source: string(telemetry.Cluster), new: newPods},
		{right: true, share: 3, source: string(telemetry.Scenario), new: newTimeline},
	}
}

// slotsOf returns the panels whose source is one of sources.
func slotsOf(sources []source) []slot {
	return slices.DeleteFunc(slots(), func(s slot) bool { return indexOf(sources, s.source) < 0 })
}
