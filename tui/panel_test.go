package tui

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// echoMsg is the message of the command of echoModel.
type echoMsg struct{}

// echoModel is a panel that answers a key with a command, and shows whether the message of a command has arrived.
type echoModel struct {
	podsModel
	heard bool
}

func (m echoModel) Update(msg tea.Msg) (panel, tea.Cmd) {
	switch msg.(type) {
	case tea.KeyMsg:
		return m, func() tea.Msg { return echoMsg{} }
	case echoMsg:
		m.heard = true
	}
	return m, nil
}

func (m echoModel) SetSize(int, int) panel { return m }

func (m echoModel) View() string {
	if m.heard {
		return "heard"
	}
	return "silent"
}

func TestPanel_MessageOfACommandReachesAllPanels(t *testing.T) {
	m := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40})
	for i := range m.panels {
		m.panels[i] = echoModel{}
	}
	next, cmd := m.Update(press("x"))
	if cmd == nil {
		t.Fatal("the command of the panel is lost")
	}
	m = after(next.(Model), cmd())
	if got, want := strings.Count(m.View(), "heard"), len(m.panels); got != want {
		t.Errorf("%d panels of %d show the message", got, want)
	}
}

func TestPanel_WithoutItsSourceIsNotShown(t *testing.T) {
	pods := []string{string(telemetry.Cluster)}
	m := newModel(Options{}, noEffects(), plainStyles(), pods, noon)
	for _, width := range []int{120, 200} {
		got := after(m, tea.WindowSizeMsg{Width: width, Height: 40}, arrives(calm()), press("tab"), press("down")).View()
		if !strings.Contains(got, "▶ ") || !strings.Contains(got, " Pods ") || strings.Contains(got, "Calls") || strings.Contains(got, "Prometheus") {
			t.Errorf("got\n%s", got)
		}
	}
}

func TestPanel_NoneAreShownForAnEmptyFeed(t *testing.T) {
	m := newModel(Options{Name: "demo"}, noEffects(), plainStyles(), nil, noon)
	for _, width := range []int{120, 200} {
		if got := after(m, tea.WindowSizeMsg{Width: width, Height: 40}, press("tab"), press("down")).View(); !strings.HasPrefix(got, "demo ✖ no data") {
			t.Errorf("got\n%s", got)
		}
	}
}
