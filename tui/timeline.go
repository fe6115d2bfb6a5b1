package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// runPhases are a run's phases before done, in their order.
var runPhases = []string{"plan", "steady", "steps", "recover", "verdict", "cleanup"}

const runDone = "done"

type timelineModel struct {
	frame
	run *telemetry.Run
}

func newTimeline(s Styles) panel {
	return timelineModel{frame: newFrame("Scenario", telemetry.Scenario, "the scenario's timeline", s)}
}

func (m timelineModel) Update(msg tea.Msg) panel {
	top := m.top(m.content())
	m.frame = m.update(msg)
	if s, ok := msg.(sceneMsg); ok {
		m.run = s.snap.Run
		m.frame = m.follow(top, m.content())
	}
	m.frame = m.clamped(m.content())
	return m
}

func (m timelineModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m timelineModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m timelineModel) View() string { return m.view(m.content()) }

// content lists the newest event first, so that it is seen without scrolling.
func (m timelineModel) content() content {
	if m.run == nil {
		return content{empty: "No scenario has run yet. Start one in another terminal with: sandbox run pod-kill"}
	}
	columns := []column{
		{title: "AT", width: 7, fit: fitRight},
		{title: "KIND", width: 7, fit: fit},
		{title: "SUBJECT", share: 2, fit: fit},
		{title: "DETAIL", share: 3, fit: fit},
	}
	g, events := newGrid(columns, m.width), m.run.Timeline
	at := func(i int) telemetry.Event { return events[len(events)-1-i] }
	return content{
		badge: m.badge(), fixed: []string{m.progress()}, count: len(events),
		line: func(i int) string { return g.line(m.row(at(i))) },
		id:   func(i int) string { return strconv.FormatUint(at(i).Seq, 10) },
	}
}

func (m timelineModel) row(e telemetry.Event) []cell {
	at := unknown
	if !e.At.IsZero() && !m.run.Started.IsZero() {
		at = fmt.Sprintf("%+.1fs", e.At.Sub(m.run.Started).Seconds())
	}
	return []cell{
		{at, m.styles.Faint}, {clean(e.Kind), m.styles.Plain}, {clean(e.Subject), m.styles.Plain}, {clean(e.Detail), m.styles.Plain},
	}
}

func (m timelineModel) badge() string {
	name := clean(m.run.Scenario)
	switch {
	case m.run.Result == telemetry.Killed:
		return name + " · killed"
	case m.run.Phase == runDone || m.run.Started.IsZero():
		return name
	default:
		return name + " · running " + since(m.asOf(), m.run.Started)
	}
}

// progress draws the phases: passed, present, skipped, to come; or the result.
func (m timelineModel) progress() string {
	run := m.run
	switch {
	case run.Result == telemetry.Killed:
		return m.styles.Bad.Render("✖ killed in phase " + clean(run.Phase) + ": sandbox undo puts back what it changed")
	case run.Phase == runDone:
		mark, style := m.result(run.Result)
		return style.Render(mark)
	}
	present := slices.Index(runPhases, run.Phase)
	if present < 0 {
		return "▸ " + clean(run.Phase)
	}
	parts := make([]string, len(runPhases))
	for i, p := range runPhases {
		switch {
		case i < present && m.entered(p):
			parts[i] = m.styles.Good.Render("✓ " + p)
		case i < present:
			parts[i] = m.styles.Faint.Render("– " + p)
		case i == present:
			parts[i] = m.styles.Focused.Render("▸ " + p)
		default:
			parts[i] = m.styles.Faint.Render("· " + p)
		}
	}
	return strings.Join(parts, "  ")
}

// entered reports whether the run was in a phase: one that is interrupted goes on to its clean-up.
func (m timelineModel) entered(phase string) bool {
	return slices.ContainsFunc(m.run.Timeline, func(e telemetry.Event) bool { return e.Kind == "phase" && e.Subject == phase })
}

func (m timelineModel) result(result string) (string, lipgloss.Style) {
	switch result = clean(result); result {
	case "pass":
		return "✔ done: pass, every expectation held", m.styles.Good
	case "fail":
		return "✖ done: fail, an expectation did not hold", m.styles.Bad
	case "":
		return "done", m.styles.Plain
	default:
		return "✖ done: " + result, m.styles.Bad
	}
}
