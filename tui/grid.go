package tui

import (
	"slices"
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
type grid struct {
	columns []column
	widths  []int
	width   int
}

func newGrid(columns []column, width int) grid { return grid{columns, spread(columns, width), width} }

func (g grid) head() string {
	titles := make([]string, len(g.columns))
	for i, c := range g.columns {
		titles[i] = c.fit(c.title, g.widths[i])
	}
	return fit(strings.Join(titles, " "), g.width)
}

func (g grid) line(row []cell) string {
	cells := make([]string, len(g.columns))
	for i, c := range g.columns {
		cells[i] = row[i].style.Render(c.fit(row[i].text, g.widths[i]))
	}
	return fit(strings.Join(cells, " "), g.width)
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

// sorted returns a sorted copy of list: what a feed returned stays as it is.
func sorted[T any](list []T, compare func(a, b T) int) []T {
	list = slices.Clone(list)
	slices.SortFunc(list, compare)
	return list
}
