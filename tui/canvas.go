package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/spinner"
	tea "github.com/charmbracelet/bubbletea"
)

// canvas is the last drawing, together with what it was drawn from, so that only what has changed is drawn again. Most messages change nothing
// that is visible, and a reading changes one panel.
type canvas struct {
	// inputs is the number of keys and messages that panels have received.
	inputs int
	// stamps are the stamps that the panels had when they were drawn.
	stamps []stamp
	// views are the views of the panels.
	views []string
	// frame is the header and the footer.
	frame string
	// size is the size of the window.
	size size
	// text is the whole screen.
	text string
}

// stamp is everything that the view of a panel depends on.
type stamp struct {
	size   size
	inputs int
	// news is the counter of the panel's source.
	news   int
	phase  phase
	paused bool
	mark   string
	busy   string
}

// scene is the scene of a source.
func (m Model) scene(s source) sceneMsg {
	frames := spinner.MiniDot.Frames
	return sceneMsg{now: m.now, health: s.health, paused: m.paused, busy: frames[m.ticks%len(frames)], command: m.opts.Command}
}

func (m Model) stamp(s source, scene sceneMsg, sized size) stamp {
	now := stamp{size: sized, inputs: m.canvas.inputs, news: s.news, phase: scene.phase(), paused: m.paused, mark: scene.mark()}
	if now.phase == loading {
		now.busy = scene.busy
	}
	return now
}

// show gives the panels their scene and their size, and draws what has changed.
func (m Model) show() (Model, tea.Cmd) {
	m.keys.panel = m.focusedKeys()
	m.help.Width = m.size.width
	head, foot := m.header(), m.footer()
	sizes := layout(m.slots, m.focus, m.size.width, m.size.height-len(head)-len(foot))
	panels, stamps, views := slices.Clone(m.panels), make([]stamp, len(m.panels)), make([]string, len(m.panels))
	copy(views, m.canvas.views)
	var all tea.Cmd
	for i, p := range panels {
		s := m.sources[indexOf(m.sources, m.slots[i].source)]
		scene := m.scene(s)
		stamps[i] = m.stamp(s, scene, sizes[i])
		if m.canvas.stamps == nil || stamps[i] != m.canvas.stamps[i] {
			next, cmd := p.Update(scene)
			panels[i] = next.SetSize(sizes[i].width, sizes[i].height)
			views[i] = panels[i].View()
			all = both(all, cmd)
		}
	}
	frame := strings.Join(append(slices.Clone(head), foot...), "\n")
	if frame != m.canvas.frame || m.size != m.canvas.size || !slices.Equal(stamps, m.canvas.stamps) {
		m.canvas.frame, m.canvas.size, m.canvas.stamps, m.canvas.views = frame, m.size, stamps, views
		m.panels = panels
		m.canvas.text = m.compose(head, foot)
	}
	return m, all
}

// focusedKeys returns the keys of the panel that has the focus.
func (m Model) focusedKeys() []key.Binding {
	if len(m.panels) == 0 {
		return nil
	}
	return m.panels[m.focus].Keys()
}
