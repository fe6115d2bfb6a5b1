package tui

import (
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// longReason does not fit on the lines of the header.
var longReason = strings.Repeat("a long reason that does not fit on one line; ", 9)

const refused = "reading Prometheus: connection refused; try: sandbox status"

// views are the messages that lead to each state of the screen.
var views = map[string][]tea.Msg{
	"loading": nil,
	"ready":   rising(),
	"tripped": {arrives(tripped())},
	"done": {arrives(func() snapshot {
		s := tripped()
		s.Run.Phase, s.Run.Result = "done", "pass"
		return s
	}())},
	"stale": {arrives(tripped()), fails(noon.Add(2*time.Second), refused), fails(noon.Add(3*time.Second), refused),
		fails(noon.Add(4*time.Second), refused)},
	"partly": {arrives(tripped()), alive(tripped(), string(telemetry.Prometheus), 12*time.Second)},
	"killed": {arrives(func() snapshot {
		s := tripped()
		s.Run.Result = telemetry.Killed
		return s
	}())},
	"failed":  {fails(noon, refused), fails(noon.Add(time.Second), refused)},
	"empty":   {arrives(snapshot{At: noon})},
	"long":    {arrives(endless())},
	"crowd":   {arrives(crowd()), press("tab"), press("tab"), press("down"), press("down"), press("down")},
	"paused":  {arrives(calm()), press("p"), tickMsg(noon.Add(12 * time.Second))},
	"help":    {arrives(tripped()), press("?")},
	"problem": {arrives(tripped()), fails(noon.Add(4*time.Second), longReason)},
}

// TestView_Golden draws the whole screen at each of its layouts. The states of its parts are in the golden files of the parts.
func TestView_Golden(t *testing.T) {
	for _, s := range []size{{80, 24}, {120, 40}, {200, 60}} {
		view := screen(plainStyles(), append([]tea.Msg{tea.WindowSizeMsg{Width: s.width, Height: s.height}}, views["partly"]...)...).View()
		fits(t, view, s)
		golden(t, "screen-"+s.String(), trimmed(view))
	}
}

func TestView_FitsEveryWindow(t *testing.T) {
	for name, msgs := range views {
		m := screen(plainStyles(), msgs...)
		for _, width := range []int{1, 20, 59, 60, 61, 79, 80, 100, 120, 139, 140, 141, 199, 200} {
			for _, height := range []int{1, 5, 14, 15, 16, 18, 24, 39, 40, 60} {
				m = after(m, tea.WindowSizeMsg{Width: width, Height: height})
				fits(t, m.View(), size{width, height})
			}
		}
		if t.Failed() {
			t.Fatalf("in view %q", name)
		}
	}
}

func TestView_SmallWindow(t *testing.T) {
	got := screen(plainStyles(), tea.WindowSizeMsg{Width: 50, Height: 20}).View()
	if want := "window too small: 50×20. Make it at least 60×15;"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

func TestView_ColourChangesNoText(t *testing.T) {
	for name, msgs := range views {
		msgs = append([]tea.Msg{tea.WindowSizeMsg{Width: 120, Height: 40}}, msgs...)
		plain := screen(plainStyles(), msgs...).View()
		coloured := screen(stylesIn(termenv.TrueColor), msgs...).View()
		if strings.Contains(plain, "\x1b") {
			t.Errorf("%s: an escape sequence without colour", name)
		}
		if plain == coloured {
			t.Errorf("%s: no colour where there may be", name)
		}
		if diff := cmp.Diff(plain, ansi.Strip(coloured)); diff != "" {
			t.Errorf("%s: colour changes the text (-plain +coloured):\n%s", name, diff)
		}
	}
}
