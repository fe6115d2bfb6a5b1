package tui

import (
	"cmp"

	"github.com/charmbracelet/x/ansi"
)

// headerLines bounds what a long reason may take from the panels.
const headerLines = 2

// header says which sandbox this is and how far to trust the data.
func header(s Styles, scene sceneMsg, name string, width int) []string {
	name = cmp.Or(clean(scene.snap.Sandbox), clean(name), "sandbox")
	name = ansi.Truncate(name, max(8, width/3), "…")
	mark, style := "", s.Plain
	switch h := scene.health; scene.phase() {
	case loading:
		mark = scene.busy + " loading: waiting for the first data"
	case ready:
		mark, style = "● live · data "+h.age(scene.now)+" old", s.Good
	case paused:
		mark, style = "■ paused · data "+h.age(scene.now)+" old · p goes on", s.Warn
	case stale:
		mark, style = "▲ stale "+h.age(scene.now)+" · "+h.retrying(), s.Warn
	case failed:
		mark, style = "✖ no data · "+h.retrying(), s.Bad
	}
	lines := wrap(name+" "+mark, width, headerLines)
	for i, l := range lines {
		if i == 0 && len(l) >= len(name) {
			lines[i] = s.Title.Render(l[:len(name)]) + style.Render(l[len(name):])
			continue
		}
		lines[i] = style.Render(l)
	}
	return lines
}
