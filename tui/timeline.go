package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// runDoneMsg reports that the run of a scenario is done. It is sent once per run.
type runDoneMsg struct {
	started time.Time
	// watched is true if the run was seen before it was done.
	watched bool
}

// runPhases are the phases of a run before it is done, in their order.
var runPhases = []string{"plan", "steady", "steps", "recover", "verdict", "cleanup"}

// runDone is the phase of a run that is done.
const runDone = "done"

// timelineModel shows the phases and the events of the running scenario, or of the last one.
type timelineModel struct {
	frame
	// run is nil before the first run.
	run *telemetry.Run
	// watched is set if a run was seen before it was done.
	watched bool
	// reported is set if runDoneMsg was sent for run.
	reported bool
}

func newTimeline(s Styles) panel {
	return timelineModel{frame: newFrame("Scenario", "the scenario's timeline", s)}
}

func (m timelineModel) Update(msg tea.Msg) (panel, tea.Cmd) {
	m.frame = m.update(msg)
	if data, ok := msg.(dataMsg); ok {
		top := m.top(m.content())
		run, _ := telemetry.Scenario.Data(data.Reading)
		m, cmd := m.follows(run)
		m.frame = m.follow(top, m.content())
		return m, cmd
	}
	m.frame = m.clamped(m.content())
	return m, nil
}

// follows returns the panel with newer data of a run, and the command that reports the end of the run.
func (m timelineModel) follows(run *telemetry.Run) (timelineModel, tea.Cmd) {
	before := m.run
	m.run = run
	if run == nil {
		return m, nil
	}
	if run.Phase != runDone {
		m.watched, m.reported = true, false
		return m, nil
	}
	if m.reported && before != nil && before.Started.Equal(run.Started) {
		return m, nil
	}
	m.reported = true
	done := runDoneMsg{started: run.Started, watched: m.watched}
	return m, func() tea.Msg { return done }
}

func (m timelineModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m timelineModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m timelineModel) View() string { return m.view(m.content()) }

// content lists the newest event first, so that it is visible without scrolling.
func (m timelineModel) content() content {
	if m.run == nil {
		return content{empty: "No scenario has run yet. Start one in another terminal with: ", remedy: remedy.Command("run", "pod-kill")}
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

// badge is the name of the scenario and how long it has been running.
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

// progress draws the phases as passed, current, skipped or still to come. For a run that has ended it draws the result.
func (m timelineModel) progress() string {
	run := m.run
	switch {
	case run.Result == telemetry.Killed:
		return m.styles.Bad.Render("✖ killed in phase " + clean(run.Phase) + ": " + remedy.Command("undo").Text(m.scene.command) + " reverts its changes")
	case run.Phase == runDone:
		mark, style := m.result(run.Result)
		return style.Render(mark)
	}
	current := slices.Index(runPhases, run.Phase)
	if current < 0 {
		return "▸ " + clean(run.Phase)
	}
	parts := make([]string, len(runPhases))
	for i, p := range runPhases {
		switch {
		case i < current && m.entered(p):
			parts[i] = m.styles.Good.Render("✓ " + p)
		case i < current:
			parts[i] = m.styles.Faint.Render("– " + p)
		case i == current:
			parts[i] = m.styles.Focused.Render("▸ " + p)
		default:
			parts[i] = m.styles.Faint.Render("· " + p)
		}
	}
	return strings.Join(parts, "  ")
}

// entered reports whether the run was in a phase. An interrupted run skips the phases before its clean-up.
func (m timelineModel) entered(phase string) bool {
	return slices.ContainsFunc(m.run.Timeline, func(e telemetry.Event) bool { return e.Kind == "phase" && e.Subject == phase })
}

// result describes the result of a run that is done.
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
