package tui

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

type breakersModel struct{ frame }

func newBreakers(s Styles) panel {
	return breakersModel{newFrame("Breakers", "the first breaker states", s)}
}

func (m breakersModel) Update(msg tea.Msg) panel {
	m.frame = m.update(msg)
	m.frame = m.clamped(m.content())
	return m
}

func (m breakersModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m breakersModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m breakersModel) View() string { return m.view(m.content()) }

func (m breakersModel) content() content {
	breakers := slices.SortedFunc(slices.Values(m.scene.snap.Breakers), worstFirst)
	columns := []column{
		{title: "STATE", width: 11, fit: fit},
		{title: "CALLER → CALLEE METHOD", share: 3, fit: fit},
		{title: "FOR", width: 6, fit: fitRight},
		{title: "REASON", share: 2, fit: fit},
	}
	rows := make([][]cell, 0, len(breakers))
	tripped := 0
	for _, b := range breakers {
		if b.State != telemetry.Closed {
			tripped++
		}
		rows = append(rows, []cell{
			{breakerShape(b.State) + " " + clean(string(b.State)), m.stateStyle(b.State)},
			{callName(b.Caller, b.Callee, b.Method), m.styles.Plain},
			{since(m.scene.now, b.Since), m.styles.Plain},
			{clean(b.Reason), m.styles.Plain},
		})
	}
	head, lines := grid(columns, rows, m.width)
	c := content{fixed: []string{m.styles.Faint.Render(head)}, lines: lines,
		empty: "No breakers yet: a caller makes one at its first call of a method."}
	if len(breakers) > 0 {
		c.badge = fmt.Sprintf("%d of %d not closed", tripped, len(breakers))
	}
	return c
}

// breakerShape tells the states apart without colour.
func breakerShape(s telemetry.BreakerState) string {
	switch s {
	case telemetry.Closed:
		return "●"
	case telemetry.Open:
		return "○"
	case telemetry.HalfOpen:
		return "◐"
	default:
		return "?"
	}
}

func (m breakersModel) stateStyle(s telemetry.BreakerState) lipgloss.Style {
	switch s {
	case telemetry.Closed:
		return m.styles.Good
	case telemetry.Open:
		return m.styles.Bad
	default:
		return m.styles.Warn
	}
}

func worstFirst(a, b telemetry.Breaker) int {
	badness := func(s telemetry.BreakerState) int {
		return slices.Index([]telemetry.BreakerState{telemetry.Open, telemetry.HalfOpen, telemetry.Closed}, s)
	}
	return cmp.Or(cmp.Compare(badness(a.State), badness(b.State)), cmp.Compare(a.Caller, b.Caller),
		cmp.Compare(a.Callee, b.Callee), cmp.Compare(a.Method, b.Method))
}
