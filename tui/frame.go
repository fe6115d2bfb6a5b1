package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// content is what a panel has to say at one width. Only the lines that are visible are drawn.
type content struct {
	badge string   // beside the title
	fixed []string // lines that stay when the rest scrolls
	count int      // of the lines that scroll
	line  func(i int) string
	id    func(i int) string // of what line i shows, so that scrolling stays at it
	empty string             // said instead of no lines
}

// scrollKeys are shown as one; the help of Up speaks for all.
type scrollKeys struct{ Up, Down, PageUp, PageDown, Home, End key.Binding }

func newScrollKeys() scrollKeys {
	return scrollKeys{
		Up:       key.NewBinding(key.WithKeys("up", "k"), key.WithHelp("↑/↓", "scroll")),
		Down:     key.NewBinding(key.WithKeys("down", "j")),
		PageUp:   key.NewBinding(key.WithKeys("pgup")),
		PageDown: key.NewBinding(key.WithKeys("pgdown")),
		Home:     key.NewBinding(key.WithKeys("home", "g")),
		End:      key.NewBinding(key.WithKeys("end", "G")),
	}
}

// frame is what all panels have in common: a title rule, the four views of data, and scrolling.
type frame struct {
	title         string
	waitingFor    string
	source        telemetry.Source
	scene         sceneMsg
	styles        Styles
	keys          scrollKeys
	width, height int
	focused       bool
	offset        int
}

func newFrame(title string, source telemetry.Source, waitingFor string, s Styles) frame {
	return frame{title: title, source: source, waitingFor: waitingFor, styles: s, keys: newScrollKeys()}
}

// update keeps what every panel keeps. The panel clamps the offset, since only it knows how many lines it has.
func (f frame) update(msg tea.Msg) frame {
	switch msg := msg.(type) {
	case sceneMsg:
		f.scene = msg
	case focusMsg:
		f.focused = bool(msg)
	case tea.KeyMsg:
		f.offset += f.scrolled(msg)
	}
	return f
}

// scrolled is by how many lines a key scrolls.
func (f frame) scrolled(msg tea.KeyMsg) int {
	const all = math.MaxInt32
	page := max(1, f.height-2) // less the title and the heading
	switch {
	case key.Matches(msg, f.keys.Up):
		return -1
	case key.Matches(msg, f.keys.Down):
		return 1
	case key.Matches(msg, f.keys.PageUp):
		return -page
	case key.Matches(msg, f.keys.PageDown):
		return page
	case key.Matches(msg, f.keys.Home):
		return -all
	case key.Matches(msg, f.keys.End):
		return all
	}
	return 0
}

// asOf is the moment that the data describes: ages stop with it.
func (f frame) asOf() time.Time { return f.scene.health[f.source].dataAt }

// top is what the first visible line shows; empty at the top of the list.
func (f frame) top(c content) string {
	if f.offset == 0 || f.offset >= c.count {
		return ""
	}
	return c.id(f.offset)
}

// follow scrolls new content to what was on top before, if it is still there. A reader at the top of the list stays at the top.
func (f frame) follow(top string, c content) frame {
	for i := 0; top != "" && i < c.count; i++ {
		if c.id(i) == top {
			f.offset = i
			break
		}
	}
	return f.clamped(c)
}

func (f frame) resized(width, height int) frame {
	f.width, f.height = width, height
	return f
}

// clamped keeps the offset where there are lines to show.
func (f frame) clamped(c content) frame {
	f.offset = max(0, min(f.offset, c.count-f.room(c)))
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
	switch f.scene.phase(f.source) {
	case loading:
		waiting := f.scene.busy + " waiting for "
		if f.scene.paused {
			waiting = "■ paused before "
		}
		lines = []string{f.rule(""), waiting + f.waitingFor}
	case failed:
		lines = append([]string{f.rule("no data")}, wrap("✖ "+f.scene.retrying(f.source), f.width, f.height-1)...)
	case stale:
		lines = []string{f.rule(join(c.badge, f.span(c), f.scene.mark(f.source)))}
		for _, l := range f.body(c) {
			lines = append(lines, f.styles.Faint.Render(ansi.Strip(l)))
		}
	default:
		lines = append([]string{f.rule(join(c.badge, f.span(c)))}, f.body(c)...)
	}
	return strings.Join(block(lines, f.width, f.height), "\n")
}

func (f frame) body(c content) []string {
	if c.count == 0 && c.empty != "" {
		return wrap(c.empty, f.width, f.height-1)
	}
	f = f.clamped(c)
	end := min(c.count, f.offset+f.room(c))
	lines := append(make([]string, 0, f.height), c.fixed...)
	for i := f.offset; i < end; i++ {
		lines = append(lines, c.line(i))
	}
	return lines
}

// span says which lines are shown, when not all are.
func (f frame) span(c content) string {
	f = f.clamped(c)
	end := min(c.count, f.offset+f.room(c))
	if f.offset == 0 && end == c.count {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d ↑↓", f.offset+1, end, c.count)
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
