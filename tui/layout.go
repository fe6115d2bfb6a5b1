package tui

// The sizes, in cells, at which the layout changes.
const (
	smallestWidth, smallestHeight = 60, 15
	// twoColumns is the width from which there are two columns, and gutter the space between them.
	twoColumns = 140
	gutter     = 2
	// shortestPanel is the height of a title, a heading and a row.
	shortestPanel = 3
)

type size struct{ width, height int }

// layout returns the size of every slot in a body. A slot of height 0 is not drawn. If the panels of a column do not fit, only the one that has the
// focus is drawn, or the first one.
func layout(slots []slot, focus, width, height int) []size {
	sizes := make([]size, len(slots))
	if width < twoColumns {
		stack(slots, sizes, func(slot) bool { return true }, focus, width, height)
		return sizes
	}
	left := (width - gutter) * 11 / 20
	stack(slots, sizes, func(s slot) bool { return !s.right }, focus, left, height)
	stack(slots, sizes, func(s slot) bool { return s.right }, focus, width-gutter-left, height)
	return sizes
}

// stack divides the height of a column by the shares of its slots. The last slot takes the rest.
func stack(slots []slot, sizes []size, in func(slot) bool, focus, width, height int) {
	var members []int
	shares := 0
	for i, s := range slots {
		if in(s) {
			members = append(members, i)
			shares += s.share
		}
	}
	if len(members) == 0 {
		return
	}
	if height < shortestPanel*len(members) {
		only := members[0]
		for _, i := range members {
			if i == focus {
				only = i
			}
		}
		sizes[only] = size{width, max(height, 0)}
		return
	}
	spare := height - shortestPanel*len(members)
	rest := spare
	for _, i := range members {
		extra := spare * slots[i].share / shares
		sizes[i] = size{width, shortestPanel + extra}
		rest -= extra
	}
	sizes[members[len(members)-1]].height += rest
}
