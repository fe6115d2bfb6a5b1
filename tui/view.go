package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// View returns the screen as it was last drawn. It is never larger than its window.
func (m Model) View() string {
	if m.exiting {
		return ""
	}
	return m.canvas.text
}

// compose joins header, panels and footer.
func (m Model) compose(head, foot []string) string {
	w, h := m.size.width, m.size.height
	if w < smallestWidth || h < smallestHeight {
		return m.tooSmall()
	}
	lines := append(append(slices.Clone(head), m.body()...), foot...)
	return strings.Join(block(lines, w, h), "\n")
}

func (m Model) footer() []string {
	if m.still {
		return nil
	}
	return strings.Split(m.help.View(m.keys), "\n")
}

func (m Model) body() []string {
	var left, right []string
	two := m.size.width >= twoColumns
	for i, view := range m.canvas.views {
		switch {
		case view == "":
		case two && m.slots[i].right:
			right = append(right, view)
		default:
			left = append(left, view)
		}
	}
	body := strings.Join(left, "\n")
	if two {
		body = lipgloss.JoinHorizontal(lipgloss.Top, body, strings.Repeat(" ", gutter), strings.Join(right, "\n"))
	}
	return strings.Split(body, "\n")
}

func (m Model) tooSmall() string {
	w, h := max(m.size.width, 0), max(m.size.height, 0)
	text := fmt.Sprintf("window too small: %d×%d. Make it at least %d×%d; q quits.", w, h, smallestWidth, smallestHeight)
	return strings.Join(block(wrap(text, max(w, 1), max(h, 1)), w, h), "\n")
}
