package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// content is what a panel shows at one width. Only visible lines are drawn.
type content struct {
	// badge is shown in the title line.
	badge string
	// fixed are the lines above those that scroll.
	fixed []string
	// count is the number of lines that scroll.
	count int
	// line draws a scrolling line.
	line func(i int) string
	// id identifies what a line shows, so that scrolling stays there when the lines change.
	id func(i int) string
	// empty is shown if there are no lines.
	empty string
	// remedy follows empty, on the same line. It may be the zero Remedy.
	remedy remedy.Remedy
}

// scrollKeys are the keys that scroll. The help shows them as one key, with the text of Up.
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

// frame is the common part of all panels: a title line, a view for each phase of the data, and scrolling.
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

// newFrame returns a frame. waitingFor names the data, for the view that is shown before the data arrives.
func newFrame(title, waitingFor string, s Styles) frame {
	return frame{title: title, waitingFor: waitingFor, styles: s, keys: newScrollKeys()}
}

// update handles the messages that all panels handle alike. The panel clamps the offset, because only the panel knows how many lines it has.
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

// scrolled returns by how many lines a key scrolls.
func (f frame) scrolled(msg tea.KeyMsg) int {
	const all = math.MaxInt32
	// The title and the heading do not scroll.
	page := max(1, f.height-2)
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

// asOf is the time that the data describes. Ages are counted to this time, so they stop when the data is stale.
func (f frame) asOf() time.Time { return f.scene.health.dataAt }

// top identifies the first visible line. It is empty at the top of the list.
func (f frame) top(c content) string {
	if f.offset == 0 || f.offset >= c.count {
		return ""
	}
	return c.id(f.offset)
}

// follow scrolls new content to the line that was on top before, if there still is one. At the top of the list it stays there.
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

// clamped returns f with an offset that shows as many lines as fit.
func (f frame) clamped(c content) frame {
	f.offset = max(0, min(f.offset, c.count-f.room(c)))
	return f
}

// room is the number of scrolling lines that fit.
func (f frame) room(c content) int { return max(0, f.height-1-len(c.fixed)) }

// view draws the panel for the phase its data is in.
func (f frame) view(c content) string {
	if f.width <= 0 || f.height <= 0 {
		return ""
	}
	var lines []string
	switch f.scene.phase() {
	case loading:
		waiting := f.scene.busy + " waiting for "
		if f.scene.paused {
			waiting = "■ paused while waiting for "
		}
		lines = []string{f.rule(""), waiting + f.waitingFor}
	case failed:
		lines = append([]string{f.rule("no data")}, wrap("✖ "+f.scene.retrying(), f.width, f.height-1)...)
	case stale:
		lines = []string{f.rule(join(c.badge, f.span(c), f.scene.mark()))}
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
		return wrap(c.empty+c.remedy.Text(f.scene.command), f.width, f.height-1)
	}
	f = f.clamped(c)
	end := min(c.count, f.offset+f.room(c))
	lines := append(make([]string, 0, f.height), c.fixed...)
	for i := f.offset; i < end; i++ {
		lines = append(lines, c.line(i))
	}
	return lines
}

// span describes which lines are shown. It is empty if all are.
func (f frame) span(c content) string {
	f = f.clamped(c)
	end := min(c.count, f.offset+f.room(c))
	if f.offset == 0 && end == c.count {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d ↑↓", f.offset+1, end, c.count)
}

// rule is the title line. The focus changes its characters and not only its colour.
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

// join joins the parts that are not empty.
func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " · ")
}
