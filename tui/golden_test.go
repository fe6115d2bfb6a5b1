package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var update = flag.Bool("update", false, "write the golden files")

const refused = "reading Prometheus: connection refused; try: sandbox status"

// views are what the screen is told, a sentence each.
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
	"problem": {arrives(tripped()), fails(noon.Add(4*time.Second), strings.Repeat("a long reason that does not fit on one line; ", 9))},
}

func TestViewsAreAsPainted(t *testing.T) {
	for name, msgs := range views {
		for _, s := range []size{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s/%dx%d", name, s.width, s.height), func(t *testing.T) {
				got := screen(plainStyles(), append([]tea.Msg{tea.WindowSizeMsg{Width: s.width, Height: s.height}}, msgs...)...).View()
				fits(t, got, s)
				path := filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.golden", name, s.width, s.height))
				if *update {
					if err := os.WriteFile(path, []byte(trimmed(got)), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				fits(t, string(want), size{s.width, s.height + 1}) // and the newline at the end of the file
				if diff := cmp.Diff(string(want), trimmed(got)); diff != "" {
					t.Errorf("the view changed; if that is meant, go test ./tui -update (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// trimmed drops the blanks that fill a line, which editors drop as well.
func trimmed(view string) string {
	lines := strings.Split(view, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func fits(t *testing.T, view string, s size) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if len(lines) > s.height {
		t.Errorf("%d lines in a window of %d", len(lines), s.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w > s.width {
			t.Errorf("line %d has %d cells in a window of %d: %q", i+1, w, s.width, l)
		}
	}
}

func TestNoWindowBreaksTheView(t *testing.T) {
	for name, msgs := range views {
		m := screen(plainStyles(), msgs...)
		for _, width := range []int{1, 20, 59, 60, 61, 79, 100, 139, 140, 141, 199} {
			for _, height := range []int{1, 5, 14, 15, 16, 18, 24, 39} {
				m = told(m, tea.WindowSizeMsg{Width: width, Height: height})
				fits(t, m.View(), size{width, height})
			}
		}
		if t.Failed() {
			t.Fatalf("in view %q", name)
		}
	}
}

func TestASmallWindowSaysSo(t *testing.T) {
	got := screen(plainStyles(), tea.WindowSizeMsg{Width: 50, Height: 20}).View()
	if want := "window too small: 50×20. Make it at least 60×15;"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

func TestColourOnlyDecorates(t *testing.T) {
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
