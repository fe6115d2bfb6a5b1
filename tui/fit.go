package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// fit returns s at exactly width cells, cut at the end or padded on the right.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	s = ansi.Truncate(s, width, "…")
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

// fitRight is fit with the padding on the left, for numbers.
func fitRight(s string, width int) string {
	if pad := width - ansi.StringWidth(s); pad > 0 {
		return strings.Repeat(" ", pad) + s
	}
	return fit(s, width)
}

// fitEnds is fit with the cut in the middle, for names that differ at their end.
func fitEnds(s string, width int) string {
	w := ansi.StringWidth(s)
	if w <= width || width < 8 {
		return fit(s, width)
	}
	head := (width - 1) / 2
	tail := width - 1 - head
	return fit(ansi.Truncate(s, head, "")+"…"+ansi.TruncateLeft(s, w-tail, ""), width)
}

// wrap breaks s into at most n lines of at most width cells. It breaks at spaces only, so that a command or a flag stays in one piece.
func wrap(s string, width, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch longer := line + " " + word; {
		case line == "":
			line = word
		case ansi.StringWidth(longer) <= width || len(lines)+1 >= n:
			line = longer
		default:
			lines, line = append(lines, line), word
		}
	}
	lines = append(lines, line)
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, width, "…")
	}
	return lines[:min(len(lines), max(n, 0))]
}

// block returns exactly height lines of exactly width cells, cut or padded.
func block(lines []string, width, height int) []string {
	out := make([]string, height)
	for i := range out {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		out[i] = fit(line, width)
	}
	return out
}
