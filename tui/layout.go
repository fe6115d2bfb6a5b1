package tui

// The sizes between which the screen changes its shape.
const (
	smallestWidth, smallestHeight = 60, 15
	twoColumns                    = 140 // width from which there are two
	gutter                        = 2   // blank cells between them
	shortestPanel                 = 3   // a title, a heading, a row
)

type size struct{ width, height int }

// layout gives every slot its size in a body. A slot of height 0 is not drawn: where all do not fit, only the focused one is.
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

// stack shares a column's height out by the slots' shares; the last takes what rounding leaves.
func stack(slots []slot, sizes []size, in func(slot) bool, focus, width, height int) {
	var members []int
	shares := 0
	for i, s := range slots {
		if in(s) {
			members = append(members, i)
			shares += s.share
		}
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
