package tui

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// alarming is the share of failed calls from which the share is drawn as bad.
const alarming = 0.01

// callsKeyMap are the keys of the panel that only this panel has.
type callsKeyMap struct{ Sort key.Binding }

func newCallsKeyMap() callsKeyMap {
	return callsKeyMap{Sort: key.NewBinding(key.WithKeys("s"), key.WithHelp("s", "sort calls"))}
}

// callOrder is an order of the list.
type callOrder struct {
	name    string
	compare func(a, b telemetry.Edge) int
}

// callOrders are the orders that the sort key cycles through. Rows with equal or without values are ordered by name.
var callOrders = []callOrder{
	{"name", byCallName},
	{"rate", func(a, b telemetry.Edge) int { return cmp.Or(cmp.Compare(b.Rate, a.Rate), byCallName(a, b)) }},
	{"errors", func(a, b telemetry.Edge) int {
		return cmp.Or(cmp.Compare(b.Errors+b.Refused, a.Errors+a.Refused), byCallName(a, b))
	}},
	{"p99", func(a, b telemetry.Edge) int { return cmp.Or(cmp.Compare(b.P99, a.P99), byCallName(a, b)) }},
}

func byCallName(a, b telemetry.Edge) int {
	return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Callee, b.Callee), cmp.Compare(a.Method, b.Method))
}

// callsModel lists the rate, the errors and the latency of each method, as its caller sees them.
type callsModel struct {
	frame
	keyMap callsKeyMap
	// order is an index of callOrders.
	order int
	// edges are in the order of the lines.
	edges []telemetry.Edge
	// history is what the sparklines are drawn from.
	history rates
}

func newCalls(s Styles) panel {
	return callsModel{
		frame:  newFrame("Calls", "the first call rates", s),
		keyMap: newCallsKeyMap(),
	}
}

func (m callsModel) Update(msg tea.Msg) (panel, tea.Cmd) {
	m.frame = m.update(msg)
	switch msg := msg.(type) {
	case dataMsg:
		top := m.top(m.content())
		edges, _ := telemetry.Prometheus.Data(msg.Reading)
		m.edges = sorted(edges, callOrders[m.order].compare)
		m.history = m.history.with(edges, msg.missed)
		m.frame = m.follow(top, m.content())
		return m, nil
	case tea.KeyMsg:
		if key.Matches(msg, m.keyMap.Sort) {
			m.order = (m.order + 1) % len(callOrders)
			m.offset = 0
			m.edges = sorted(m.edges, callOrders[m.order].compare)
		}
	}
	m.frame = m.clamped(m.content())
	return m, nil
}

func (m callsModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m callsModel) Keys() []key.Binding { return []key.Binding{m.keys.Up, m.keyMap.Sort} }

func (m callsModel) View() string { return m.view(m.content()) }

// apart reports whether refusals have a column of their own. Without room for one, they are counted as errors.
func (m callsModel) apart() bool { return m.width >= 100 }

// columns returns the columns of the list, and the width of the last one, the history. It is 0 if there is no room for a history.
func (m callsModel) columns() (columns []column, history int) {
	columns = []column{
		{title: callTitle, fit: fitCall},
		{title: "CALLS/S", width: 7, fit: fitRight},
		{title: "ERRORS", width: 6, fit: fitRight},
		{title: "P50", width: 6, fit: fitRight},
		{title: "P99", width: 6, fit: fitRight},
	}
	if m.apart() {
		columns = slices.Insert(columns, 3, column{title: "REFUSED", width: 7, fit: fitRight})
	}
	switch {
	case m.width >= 100:
		history = remembered
	case m.width >= 70:
		history = 10
	}
	if history > 0 {
		columns = append(columns, column{title: "RATE", width: history, fit: fit})
	}
	return columns, history
}

func (m callsModel) content() content {
	columns, history := m.columns()
	g := newGrid(columns, m.width)
	c := content{
		fixed: []string{m.styles.Faint.Render(g.head())}, count: len(m.edges),
		line: func(i int) string { return g.line(m.row(m.edges[i], history)) },
		id: func(i int) string {
			e := m.edges[i]
			return callName(e.Caller, e.Callee, e.Method)
		},
		empty: "No calls yet. Start load with: ", remedy: remedy.Command("run", "pod-kill"),
	}
	if len(m.edges) > 0 {
		c.badge = fmt.Sprintf("%d, by %s", len(m.edges), callOrders[m.order].name)
	}
	return c
}

func (m callsModel) row(e telemetry.Edge, history int) []cell {
	row := []cell{{callName(e.Caller, e.Callee, e.Method), m.styles.Plain}, {rate(e.Rate), m.styles.Plain}}
	if m.apart() {
		row = append(row, cell{percent(e.Errors), m.errorStyle(e.Errors)}, cell{percent(e.Refused), m.errorStyle(e.Refused)})
	} else {
		row = append(row, cell{percent(e.Errors + e.Refused), m.errorStyle(e.Errors + e.Refused)})
	}
	row = append(row, cell{latency(e.P50), m.styles.Plain}, cell{latency(e.P99), m.styles.Plain})
	if history > 0 {
		row = append(row, cell{sparkline(m.history[idOf(e)], history), m.styles.Good})
	}
	return row
}

func (m callsModel) errorStyle(share float64) lipgloss.Style {
	switch {
	case share >= alarming:
		return m.styles.Bad
	case share > 0:
		return m.styles.Warn
	default:
		return m.styles.Plain
	}
}
