package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

const (
	callTitle = "CALLER → CALLEE METHOD"
	arrow     = " → "
)

// callName is the name of a method of a callee, as one caller sees it.
func callName(caller, callee, method string) string {
	return clean(caller + arrow + callee + " " + shortMethod(method))
}

// leastService is the width in cells below which no service is cut before the method is cut.
const leastService = 4

// fitCall is fit for a name that callName returns. It cuts the services first, the longer one before the shorter, because the rows of two services
// differ in the method.
func fitCall(s string, width int) string {
	caller, rest, ok := strings.Cut(s, arrow)
	blank := strings.LastIndexByte(rest, ' ')
	if ansi.StringWidth(s) <= width || !ok || blank < 0 {
		return fit(s, width)
	}
	callee, method := rest[:blank], rest[blank+1:]
	// room is the width that is left for the three names.
	room := width - ansi.StringWidth(arrow) - 1
	method = within(method, room-2*leastService)
	room -= ansi.StringWidth(method)
	// The shorter name keeps its width, up to a half.
	first, second := ansi.StringWidth(caller), ansi.StringWidth(callee)
	switch half := room / 2; {
	case first <= half:
		second = room - first
	case second <= room-half:
		first = room - second
	default:
		first, second = half, room-half
	}
	return fit(ansi.Truncate(caller, max(first, 0), "…")+arrow+ansi.Truncate(callee, max(second, 0), "…")+" "+method, width)
}

// within cuts s to at most width cells.
func within(s string, width int) string {
	if ansi.StringWidth(s) <= width {
		return s
	}
	return strings.TrimRight(fitEnds(s, max(width, 0)), " ")
}
