package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// runPhases are a run's phases before done, in their order.
var runPhases = []string{"plan", "steady", "steps", "recover", "verdict", "cleanup"}

const runDone = "done"

type timelineModel struct{ frame }

func newTimeline(s Styles) panel {
	return timelineModel{newFrame("Scenario", "the scenario's timeline", s)}
}

func (m timelineModel) Update(msg tea.Msg) panel {
	m.frame = m.update(msg)
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
	run := m.scene.snap.Run
	if run == nil {
		return content{empty: "No scenario has run yet. Start one in another terminal with: sandbox run pod-kill"}
	}
	columns := []column{
		{title: "AT", width: 7, fit: fitRight},
		{title: "KIND", width: 7, fit: fit},
		{title: "SUBJECT", share: 2, fit: fit},
		{title: "DETAIL", share: 3, fit: fit},
	}
	rows := make([][]cell, 0, len(run.Timeline))
	for _, e := range slices.Backward(run.Timeline) {
		at := unknown
		if !e.At.IsZero() && !run.Started.IsZero() {
			at = fmt.Sprintf("%+.1fs", e.At.Sub(run.Started).Seconds())
		}
		rows = append(rows, []cell{
			{at, m.styles.Faint}, {clean(e.Kind), m.styles.Plain},
			{clean(e.Subject), m.styles.Plain}, {clean(e.Detail), m.styles.Plain},
		})
	}
	_, lines := grid(columns, rows, m.width)
	return content{badge: m.badge(run), fixed: []string{m.progress(run)}, lines: lines}
}

func (m timelineModel) badge(run *telemetry.Run) string {
	name := clean(run.Scenario)
	if run.Phase == runDone || run.Started.IsZero() {
		return name
	}
	return name + " · running " + since(m.scene.now, run.Started)
}

// progress draws the phases: passed, present, to come; or the result.
func (m timelineModel) progress(run *telemetry.Run) string {
	if run.Phase == runDone {
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
		case i < present:
			parts[i] = m.styles.Good.Render("✓ " + p)
		case i == present:
			parts[i] = m.styles.Focused.Render("▸ " + p)
		default:
			parts[i] = m.styles.Faint.Render("· " + p)
		}
	}
	return strings.Join(parts, "  ")
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
