package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// column is how one field of a row is set.
type column struct {
	title string
	width int // in cells; 0 takes a share of what the fixed columns leave
	share int // of that rest; 0 counts as 1
	fit   func(s string, width int) string
}

// cell is text and how it looks. The text carries the whole meaning; the style only decorates it.
type cell struct {
	text  string
	style lipgloss.Style
}

// grid sets rows under a heading, every line exactly width cells.
func grid(columns []column, rows [][]cell, width int) (head string, lines []string) {
	widths := spread(columns, width)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.fit(c.title, widths[i])
	}
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = row[i].style.Render(c.fit(row[i].text, widths[i]))
		}
		lines = append(lines, fit(strings.Join(cells, " "), width))
	}
	return fit(strings.Join(titles, " "), width), lines
}

// spread gives every column its width; one blank cell parts neighbours.
func spread(columns []column, width int) []int {
	rest, shares := width-(len(columns)-1), 0
	for _, c := range columns {
		if rest -= c.width; c.width == 0 {
			shares += max(c.share, 1)
		}
	}
	rest = max(rest, 0)
	widths := make([]int, len(columns))
	for i, c := range columns {
		if widths[i] = c.width; c.width == 0 {
			share := max(c.share, 1)
			widths[i] = rest * share / shares
			rest, shares = rest-widths[i], shares-share
		}
	}
	return widths
}
