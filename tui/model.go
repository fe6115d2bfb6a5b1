package tui

import (
	"time"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/spinner"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// tickMsg moves the ages and the spinner on.
type tickMsg time.Time

// readMsg is an answer of the feed. One of an earlier round, from before a pause, is not shown.
type readMsg struct {
	round int
	at    time.Time
	snap  telemetry.Snapshot
	err   error
}

// dueMsg says that it is time to ask the feed again.
type dueMsg struct{ round int }

// world is what the screen does to the outside, each as a command.
type world struct {
	read func(round int) tea.Cmd
	due  func(round int, wait time.Duration) tea.Cmd
	tick func() tea.Cmd
}

// Model is the whole screen.
type Model struct {
	opts    Options
	world   world
	keys    KeyMap
	help    help.Model
	styles  Styles
	slots   []slot
	panels  []panel
	focus   int
	scene   sceneMsg
	round   int
	frame   int
	opened  time.Time
	sawRun  bool // a run was seen before it was done
	size    size
	exiting bool
}

func newModel(opts Options, w world, styles Styles, now time.Time) Model {
	m := Model{opts: opts, world: w, keys: NewKeyMap(), help: help.New(), styles: styles, slots: slots(),
		opened: now, size: size{80, 24}} // until the terminal tells
	m.help.Styles = styles.help()
	m.scene = sceneMsg{now: now, health: health{staleAfter: max(4*opts.Refresh, 3*time.Second)}}
	for i, s := range m.slots {
		m.panels = append(m.panels, s.new(styles).Update(focusMsg(i == 0)))
	}
	return m.show()
}

// Init starts reading and ticking.
func (m Model) Init() tea.Cmd { return tea.Batch(m.world.read(m.round), m.world.tick()) }

// Update is the screen's only change of state.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.size = size{msg.Width, msg.Height}
	case tickMsg:
		m.scene.now = time.Time(msg)
		m.frame++
		cmd = m.world.tick()
	case dueMsg:
		if msg.round == m.round && !m.scene.health.paused {
			cmd = m.world.read(m.round)
		}
	case readMsg:
		m, cmd = m.received(msg)
	case tea.KeyMsg:
		m, cmd = m.pressed(msg)
	}
	return m.show(), cmd
}

func (m Model) received(msg readMsg) (Model, tea.Cmd) {
	if msg.round != m.round || m.scene.health.paused {
		return m, nil
	}
	m.scene.now = msg.at
	if msg.err != nil {
		m.scene.health = m.scene.health.failed(msg.err)
	} else {
		if msg.snap.At.IsZero() {
			msg.snap.At = msg.at
		}
		if !msg.snap.At.Equal(m.scene.snap.At) { // a feed may answer twice from one measurement
			m.scene.history = m.scene.history.with(msg.snap.Edges)
		}
		m.scene.health = m.scene.health.ok(msg.snap.At)
		m.scene.snap = msg.snap
	}
	if run := m.scene.snap.Run; run != nil {
		m.sawRun = m.sawRun || run.Phase != runDone || run.Started.After(m.opened)
		if m.opts.ExitWhenDone && run.Phase == runDone && m.sawRun {
			m.exiting = true
			return m, tea.Quit
		}
	}
	return m, m.world.due(m.round, m.scene.health.wait(m.opts.Refresh))
}

func (m Model) pressed(msg tea.KeyMsg) (Model, tea.Cmd) {
	switch {
	case key.Matches(msg, m.keys.Interrupt):
		m.exiting = true
		return m, tea.Interrupt
	case key.Matches(msg, m.keys.Quit):
		m.exiting = true
		return m, tea.Quit
	case key.Matches(msg, m.keys.Help):
		m.help.ShowAll = !m.help.ShowAll
	case key.Matches(msg, m.keys.Next):
		m.panels[m.focus] = m.panels[m.focus].Update(focusMsg(false))
		m.focus = (m.focus + 1) % len(m.panels)
		m.panels[m.focus] = m.panels[m.focus].Update(focusMsg(true))
	case key.Matches(msg, m.keys.Pause):
		m.scene.health.paused = !m.scene.health.paused
		m.round++ // answers still on their way are of the past
		if !m.scene.health.paused {
			return m, m.world.read(m.round)
		}
	default:
		m.panels[m.focus] = m.panels[m.focus].Update(msg)
	}
	return m, nil
}

// show gives every panel the present scene and its size.
func (m Model) show() Model {
	frames := spinner.MiniDot.Frames
	m.scene.busy = frames[m.frame%len(frames)]
	m.keys.panel = m.panels[m.focus].Keys()
	m.help.Width = m.size.width
	sizes := layout(m.slots, m.focus, m.size.width, m.bodyHeight())
	panels := make([]panel, len(m.panels))
	for i, p := range m.panels {
		panels[i] = p.Update(m.scene).SetSize(sizes[i].width, sizes[i].height)
	}
	m.panels = panels
	return m
}
