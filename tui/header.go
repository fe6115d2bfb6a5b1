package tui

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// stateLines and reasonLines bound what the header may take from the panels.
const (
	stateLines  = 2
	reasonLines = 2
)

// header says which sandbox this is, how far each source's data can be trusted, and why one of them has none.
func header(s Styles, scene sceneMsg, name string, width int) []string {
	name = ansi.Truncate(cmp.Or(clean(name), "sandbox"), max(8, width/3), "…")
	mark, style := summary(s, scene)
	parts := []string{name + " " + mark}
	reason := ""
	for _, source := range telemetry.Sources {
		parts = append(parts, source.String()+" "+condition(scene, source))
		if scene.health[source].attempt > 0 && reason == "" {
			reason = source.String() + ": " + scene.retrying(source)
		}
	}
	lines := wrap(strings.Join(parts, " · "), width, stateLines)
	for i, l := range lines {
		if i == 0 && strings.HasPrefix(l, name) {
			lines[i] = s.Title.Render(name) + style.Render(l[len(name):])
			continue
		}
		lines[i] = style.Render(l)
	}
	if reason != "" {
		for _, l := range wrap(reason, width, reasonLines) {
			lines = append(lines, style.Render(l))
		}
	}
	return lines
}

// summary is the screen as a whole: as bad as its worst source, and without data only where no source has any.
func summary(s Styles, scene sceneMsg) (string, lipgloss.Style) {
	var in [paused + 1]int
	for _, source := range telemetry.Sources {
		in[scene.health[source].phase(scene.now)]++
	}
	switch all := len(telemetry.Sources); {
	case scene.paused:
		return "■ paused, p goes on", s.Warn
	case in[failed] == all:
		return "✖ no data", s.Bad
	case in[stale]+in[failed] == all:
		return "▲ stale", s.Warn
	case in[stale]+in[failed] > 0:
		return "▲ partly stale", s.Warn
	case in[loading] > 0:
		return scene.busy + " loading", s.Plain
	default:
		return "● live", s.Good
	}
}

// condition is how old a source's data is, or why there is none.
func condition(scene sceneMsg, source telemetry.Source) string {
	switch scene.phase(source) {
	case loading:
		return unknown
	case failed:
		return "✖"
	case stale:
		return "▲" + scene.age(source)
	default:
		return scene.age(source)
	}
}
