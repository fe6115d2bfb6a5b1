package tui

import (
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// sceneMsg gives a panel everything it may draw. It comes whenever the data or the time has changed.
type sceneMsg struct {
	now     time.Time
	snap    telemetry.Snapshot
	health  health
	history rates
	busy    string // one frame of the spinner
}

func (s sceneMsg) phase() phase { return s.health.phase(s.now) }

// focusMsg tells a panel whether the keys are for it.
type focusMsg bool

// panel is one part of the screen. View is pure in what Update and SetSize have set, and exactly as large.
type panel interface {
	Update(msg tea.Msg) panel
	View() string
	SetSize(width, height int) panel
	Keys() []key.Binding
}

// slot is a panel's place: its column when there are two, and its share of the column's height.
type slot struct {
	right bool
	share int
	new   func(Styles) panel
}

// slots are all the panels, in the order of tab.
func slots() []slot {
	return []slot{
		{share: 4, new: newCalls},
		{share: 3, new: newBreakers},
		{right: true, share: 3, new: newPods},
		{right: true, share: 3, new: newTimeline},
	}
}
