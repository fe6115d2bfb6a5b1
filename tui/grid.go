package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// column describes one column of a grid.
type column struct {
	title string
	// width is the width in cells. If it is 0, the column takes a share of the width that is left.
	width int
	// share is the share of that width; 0 counts as 1.
	share int
	fit   func(s string, width int) string
}

// cell is the text and the style of one field. The text has all the information, so that nothing is lost without colours.
type cell struct {
	text  string
	style lipgloss.Style
}

// grid draws rows under a heading. Every line has exactly width cells.
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

// spread returns the width of every column. One cell between two columns is left blank.
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

// sorted returns a sorted copy of list. The data of a feed may not be changed.
func sorted[T any](list []T, compare func(a, b T) int) []T {
	list = slices.Clone(list)
	slices.SortFunc(list, compare)
	return list
}
