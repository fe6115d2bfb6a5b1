package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// content is what a panel has to say at one width.
type content struct {
	badge string   // beside the title
	fixed []string // lines that stay when the rest scrolls
	lines []string
	empty string // said instead of no lines
}

// scrollKeys are shown as one; the help of Up speaks for both.
type scrollKeys struct{ Up, Down key.Binding }

func newScrollKeys() scrollKeys {
	return scrollKeys{
		Up:   key.NewBinding(key.WithKeys("up", "k"), key.WithHelp("↑/↓", "scroll")),
		Down: key.NewBinding(key.WithKeys("down", "j")),
	}
}

// frame is what all panels have in common: a title rule, the four views of data, and scrolling.
type frame struct {
	title         string
	waitingFor    string
	scene         sceneMsg
	styles        Styles
	keys          scrollKeys
	width, height int
	focused       bool
	offset        int
}

func newFrame(title, waitingFor string, s Styles) frame {
	return frame{title: title, waitingFor: waitingFor, styles: s, keys: newScrollKeys()}
}

// update keeps what every panel keeps. The panel clamps the offset, since only it knows how many lines it has.
func (f frame) update(msg tea.Msg) frame {
	switch msg := msg.(type) {
	case sceneMsg:
		f.scene = msg
	case focusMsg:
		f.focused = bool(msg)
	case tea.KeyMsg:
		switch {
		case key.Matches(msg, f.keys.Up):
			f.offset--
		case key.Matches(msg, f.keys.Down):
			f.offset++
		}
	}
	return f
}

func (f frame) resized(width, height int) frame {
	f.width, f.height = width, height
	return f
}

// clamped keeps the offset where there are lines to show.
func (f frame) clamped(c content) frame {
	f.offset = max(0, min(f.offset, len(c.lines)-f.room(c)))
	return f
}

// room is how many scrolling lines fit.
func (f frame) room(c content) int { return max(0, f.height-1-len(c.fixed)) }

// view draws the panel for the phase its data is in.
func (f frame) view(c content) string {
	if f.width <= 0 || f.height <= 0 {
		return ""
	}
	var lines []string
	switch f.scene.phase() {
	case loading:
		lines = []string{f.rule(""), f.scene.busy + " waiting for " + f.waitingFor}
	case failed:
		lines = append([]string{f.rule("no data")}, wrap("✖ "+f.scene.health.retrying(), f.width, f.height-1)...)
	case stale:
		lines = []string{f.rule(join(c.badge, f.span(c), "▲ stale "+f.scene.health.age(f.scene.now)))}
		for _, l := range f.body(c) {
			lines = append(lines, f.styles.Faint.Render(ansi.Strip(l)))
		}
	default:
		lines = append([]string{f.rule(join(c.badge, f.span(c)))}, f.body(c)...)
	}
	return strings.Join(block(lines, f.width, f.height), "\n")
}

func (f frame) body(c content) []string {
	if len(c.lines) == 0 && c.empty != "" {
		return wrap(c.empty, f.width, f.height-1)
	}
	f = f.clamped(c)
	end := min(len(c.lines), f.offset+f.room(c))
	return append(append([]string{}, c.fixed...), c.lines[f.offset:end]...)
}

// span says which lines are shown, when not all are.
func (f frame) span(c content) string {
	f = f.clamped(c)
	end := min(len(c.lines), f.offset+f.room(c))
	if f.offset == 0 && end == len(c.lines) {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d ↑↓", f.offset+1, end, len(c.lines))
}

// rule is the title line. Focus changes its weight, not only its colour.
func (f frame) rule(note string) string {
	mark, bar, style := "─ ", "─", f.styles.Title
	if f.focused {
		mark, bar, style = "▶ ", "━", f.styles.Focused
	}
	if note != "" {
		note = ansi.Truncate(" "+note+" ", max(0, f.width-len(f.title)-5), "…")
	}
	left := mark + f.title + " "
	fill := max(0, f.width-ansi.StringWidth(left)-ansi.StringWidth(note)-1)
	return style.Render(left) + f.styles.Faint.Render(strings.Repeat(bar, fill)) + note + f.styles.Faint.Render(bar)
}

func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " · ")
}
