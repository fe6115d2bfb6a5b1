package tui

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
)

// The largest number of lines that the header takes from the panels.
const (
	stateLines  = 2 // for the states of the sources
	reasonLines = 2 // for the reason of a failure
)

// header shows the name of the sandbox, how far the data of each source can be trusted, and why the first one that fails does so.
func (m Model) header() []string {
	name := ansi.Truncate(cmp.Or(clean(m.opts.Name), "sandbox"), max(8, m.size.width/3), "…")
	mark, style := m.summary()
	parts := []string{name + " " + mark}
	reason := ""
	for _, s := range m.sources {
		scene := m.scene(s)
		parts = append(parts, s.name+" "+condition(scene))
		if s.health.attempt > 0 && reason == "" {
			reason = s.name + ": " + scene.retrying()
		}
	}
	lines := wrap(strings.Join(parts, " · "), m.size.width, stateLines)
	for i, l := range lines {
		if i == 0 && strings.HasPrefix(l, name) {
			lines[i] = m.styles.Title.Render(name) + style.Render(l[len(name):])
			continue
		}
		lines[i] = style.Render(l)
	}
	if reason != "" {
		for _, l := range wrap(reason, m.size.width, reasonLines) {
			lines = append(lines, style.Render(l))
		}
	}
	return lines
}

// summary describes the screen as a whole. It is as bad as the worst source. "No data", and "stale" without "partly", mean that all sources are.
func (m Model) summary() (string, lipgloss.Style) {
	var in [paused + 1]int
	for _, s := range m.sources {
		in[s.health.phase(m.now)]++
	}
	switch all := len(m.sources); {
	case m.paused:
		return "■ paused, p resumes", m.styles.Warn
	case in[failed] == all:
		return "✖ no data", m.styles.Bad
	case in[stale]+in[failed] == all:
		return "▲ stale", m.styles.Warn
	case in[stale]+in[failed] > 0:
		return "▲ partly stale", m.styles.Warn
	case in[loading] > 0:
		return m.scene(source{}).busy + " loading", m.styles.Plain
	default:
		return "● live", m.styles.Good
	}
}

// condition is the age of a source's data, or a mark if there is no data.
func condition(scene sceneMsg) string {
	switch scene.phase() {
	case loading:
		return unknown
	case failed:
		return "✖"
	case stale:
		return "▲" + scene.age()
	default:
		return scene.age()
	}
}
