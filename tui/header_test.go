package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

// TestHeader_Golden draws header and footer in every state of the screen, without the panels.
func TestHeader_Golden(t *testing.T) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(views)) {
		for _, width := range []int{80, 120, 200} {
			m := screen(plainStyles(), append([]tea.Msg{tea.WindowSizeMsg{Width: width, Height: 60}}, views[name]...)...)
			fmt.Fprintf(&b, "-- %s, %d --\n%s", name, width, trimmed(strings.Join(append(m.header(), m.footer()...), "\n")))
		}
	}
	golden(t, "header", b.String())
}
