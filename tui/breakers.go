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

// breakersModel lists the circuit breakers of the load generator, open ones first.
type breakersModel struct {
	frame
	// breakers are in the order of the lines.
	breakers []telemetry.Breaker
}

func newBreakers(s Styles) panel {
	return breakersModel{frame: newFrame("Breakers", "the first breaker states", s)}
}

func (m breakersModel) Update(msg tea.Msg) (panel, tea.Cmd) {
	m.frame = m.update(msg)
	if data, ok := msg.(dataMsg); ok {
		top := m.top(m.content())
		breakers, _ := telemetry.ControlPlane.Data(data.Reading)
		m.breakers = sorted(breakers, worstFirst)
		m.frame = m.follow(top, m.content())
		return m, nil
	}
	m.frame = m.clamped(m.content())
	return m, nil
}

func (m breakersModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m breakersModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m breakersModel) View() string { return m.view(m.content()) }

func (m breakersModel) content() content {
	columns := []column{
		{title: "STATE", width: 11, fit: fit},
		{title: callTitle, share: 3, fit: fitCall},
		{title: "FOR", width: 6, fit: fitRight},
		{title: "REASON", share: 2, fit: fit},
	}
	g := newGrid(columns, m.width)
	c := content{
		fixed: []string{m.styles.Faint.Render(g.head())}, count: len(m.breakers),
		line: func(i int) string { return g.line(m.row(m.breakers[i])) },
		id: func(i int) string {
			b := m.breakers[i]
			return callName(b.Caller, b.Callee, b.Method)
		},
		empty: "No breakers yet: a caller creates one on its first call of a method.",
	}
	if len(m.breakers) > 0 {
		tripped := 0
		for _, b := range m.breakers {
			if b.State != telemetry.Closed {
				tripped++
			}
		}
		c.badge = fmt.Sprintf("%d of %d not closed", tripped, len(m.breakers))
	}
	return c
}

func (m breakersModel) row(b telemetry.Breaker) []cell {
	return []cell{
		{breakerShape(b.State) + " " + clean(string(b.State)), m.stateStyle(b.State)},
		{callName(b.Caller, b.Callee, b.Method), m.styles.Plain},
		{since(m.asOf(), b.Since), m.styles.Plain},
		{clean(b.Reason), m.styles.Plain},
	}
}

// breakerShape returns a character for a state, so that states can be told apart without colour.
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

// worstFirst orders breakers by state (open, half-open, closed) and name.
func worstFirst(a, b telemetry.Breaker) int {
	badness := func(s telemetry.BreakerState) int {
		return slices.Index([]telemetry.BreakerState{telemetry.Open, telemetry.HalfOpen, telemetry.Closed}, s)
	}
	return cmp.Or(cmp.Compare(badness(a.State), badness(b.State)), cmp.Compare(a.Caller, b.Caller),
		cmp.Compare(a.Callee, b.Callee), cmp.Compare(a.Method, b.Method))
}
