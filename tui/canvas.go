package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/spinner"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// canvas is what was drawn last, and of what, so that only what has changed is drawn again. Most messages change nothing that is visible, and an
// answer changes one panel.
type canvas struct {
	keys   int                         // pressed so far
	news   [len(telemetry.Sources)]int // answers and failures so far
	stamps []stamp                     // of what each panel was drawn
	views  []string                    // of the panels
	frame  string                      // header and footer
	size   size                        // of the window
	text   string                      // the whole screen
}

// stamp is all that the view of a panel depends on.
type stamp struct {
	size   size
	keys   int
	news   int
	phase  phase
	paused bool
	mark   string
	busy   string
}

func (m Model) stamp(source telemetry.Source, s size) stamp {
	now := stamp{size: s, keys: m.canvas.keys, news: m.canvas.news[source], phase: m.scene.phase(source), paused: m.scene.paused,
		mark: m.scene.mark(source)}
	if now.phase == loading {
		now.busy = m.scene.busy
	}
	return now
}

// show gives the panels the present scene and their size, and draws what has changed.
func (m Model) show() Model {
	frames := spinner.MiniDot.Frames
	m.scene.busy = frames[m.frame%len(frames)]
	m.keys.panel = m.panels[m.focus].Keys()
	m.help.Width = m.size.width
	head, foot := m.header(), m.footer()
	sizes := layout(m.slots, m.focus, m.size.width, m.size.height-len(head)-len(foot))
	panels, stamps, views := slices.Clone(m.panels), make([]stamp, len(m.panels)), make([]string, len(m.panels))
	copy(views, m.canvas.views)
	for i, p := range panels {
		stamps[i] = m.stamp(m.slots[i].source, sizes[i])
		if m.canvas.stamps == nil || stamps[i] != m.canvas.stamps[i] {
			panels[i] = p.Update(m.scene).SetSize(sizes[i].width, sizes[i].height)
			views[i] = panels[i].View()
		}
	}
	frame := strings.Join(append(slices.Clone(head), foot...), "\n")
	if frame != m.canvas.frame || m.size != m.canvas.size || !slices.Equal(stamps, m.canvas.stamps) {
		m.canvas.frame, m.canvas.size, m.canvas.stamps, m.canvas.views = frame, m.size, stamps, views
		m.panels = panels
		m.canvas.text = m.compose(head, foot)
	}
	return m
}
