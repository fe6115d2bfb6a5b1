package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func (s size) String() string { return fmt.Sprintf("%dx%d", s.width, s.height) }

// state is a state of a part of the screen: the messages that lead to it, and its name.
type state struct {
	name string
	msgs []tea.Msg
}

// phaseStates returns the states that every panel has. shown leads to data, and empty to data without entries.
func phaseStates(shown, empty tea.Msg) []state {
	return []state{
		{"loading", nil},
		{"ready", []tea.Msg{shown}},
		{"stale", []tea.Msg{shown, fails(noon.Add(2*time.Second), refused), fails(noon.Add(3*time.Second), refused),
			fails(noon.Add(4*time.Second), refused)}},
		{"failed", []tea.Msg{fails(noon, refused), fails(noon.Add(time.Second), refused)}},
		{"failed for a long reason", []tea.Msg{fails(noon, longReason)}},
		{"empty", []tea.Msg{empty}},
		{"paused", []tea.Msg{shown, press("p"), tickMsg(noon.Add(12 * time.Second))}},
		{"paused before data", []tea.Msg{press("p")}},
	}
}

// goldenPanel compares the views of one panel, at the widths that it has in windows of 80, 120 and 200 columns, with testdata/NAME.golden.
func goldenPanel(t *testing.T, name, title string, states []state) {
	t.Helper()
	slot := slotOf(t, title)
	// The size of the left column.
	wide := size{108, 20}
	if slot.right {
		wide = size{90, 20}
	}
	var b strings.Builder
	for _, st := range states {
		for _, s := range []size{{80, 6}, {120, 10}, wide} {
			view := viewOf(slot, s, st.msgs...)
			fits(t, view, s)
			fmt.Fprintf(&b, "-- %s, %s --\n%s", st.name, s, trimmed(view))
		}
	}
	golden(t, name, b.String())
}

// slotOf returns the slot of the panel with a title.
func slotOf(t *testing.T, title string) slot {
	t.Helper()
	all := slots()
	i := slices.IndexFunc(all, func(s slot) bool { return titleOf(s) == title })
	if i < 0 {
		t.Fatalf("there is no panel %s", title)
	}
	return all[i]
}

// titleOf returns the title of the panel of a slot.
func titleOf(s slot) string {
	title := s.new(plainStyles()).SetSize(80, 3).View()
	return strings.Fields(ansi.Strip(title))[1]
}

// alone returns a screen whose only panel has exactly a size, after messages. The panel has the focus.
func alone(slot slot, s size, msgs ...tea.Msg) Model {
	m := newModel(Options{Refresh: 500 * time.Millisecond, Name: "demo"}, noEffects(), plainStyles(), sourceNames(), noon)
	m = onlyPanel(m, slot)
	sized := func() {
		// The footer may change with the width.
		for range 2 {
			m = after(m, tea.WindowSizeMsg{Width: s.width, Height: s.height + len(m.header()) + len(m.footer())})
		}
	}
	sized()
	for _, msg := range msgs {
		m = after(m, msg)
		sized()
	}
	return m
}

// onlyPanel returns m with the panel of a slot as its only one. A source that the test feed does not have is added.
func onlyPanel(m Model, s slot) Model {
	if indexOf(m.sources, s.source) < 0 {
		m.sources = append(m.sources, newSources([]string{s.source}, m.sources[0].health.staleAfter)...)
	}
	s.right = false
	m.slots, m.panels, m.focus = []slot{s}, []panel{s.new(plainStyles())}, 0
	m.canvas = canvas{}
	m, _ = m.send(focusMsg(true), m.hasFocus)
	return m
}

// viewOf returns the view of a panel of exactly a size, after messages.
func viewOf(slot slot, s size, msgs ...tea.Msg) string {
	return alone(slot, s, msgs...).canvas.views[0]
}

// golden compares text with testdata/NAME.golden, or writes that file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s changed; if that is intended, run go test ./tui -update (-want +got):\n%s", path, diff)
	}
}

// TestPanels_HaveGoldenFiles looks for a golden file, with every phase of the data, for each panel.
func TestPanels_HaveGoldenFiles(t *testing.T) {
	if *update {
		t.Skip("the tests of the panels write the files")
	}
	for _, s := range slots() {
		title := titleOf(s)
		data, err := os.ReadFile(filepath.Join("testdata", strings.ToLower(title)+".golden"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, phase := range []string{"loading", "ready", "stale", "failed"} {
			if !strings.Contains(string(data), "-- "+phase+", ") {
				t.Errorf("the golden file of %s does not show the phase %s", title, phase)
			}
		}
	}
}

// trimmed removes the spaces at the end of lines, as editors do.
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
