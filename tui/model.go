package tui

import (
	"slices"
	"time"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// tickMsg moves the ages and the spinner on.
type tickMsg time.Time

// readMsg is a source's answer. One of an earlier round, from before a pause, is not shown.
type readMsg struct {
	round  int
	source telemetry.Source
	at     time.Time
	snap   telemetry.Snapshot
	err    error
}

// dueMsg says that it is time to ask a source again.
type dueMsg struct {
	round  int
	source telemetry.Source
}

// world is what the screen does to the outside, each as a command.
type world struct {
	read func(round int, source telemetry.Source) tea.Cmd
	due  func(round int, source telemetry.Source, wait time.Duration) tea.Cmd
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
	still   bool // drawn once, without keys
	canvas  canvas
}

func newModel(opts Options, w world, styles Styles, now time.Time) Model {
	if opts.Refresh <= 0 {
		opts.Refresh = defaultRefresh
	}
	m := Model{opts: opts, world: w, keys: NewKeyMap(), help: help.New(), styles: styles, slots: slots(),
		opened: now, size: size{80, 24}} // until the terminal tells
	m.help.Styles = styles.help()
	m.scene.now = now
	for i := range m.scene.health {
		m.scene.health[i].staleAfter = max(4*opts.Refresh, 3*time.Second)
	}
	for i, s := range m.slots {
		m.panels = append(m.panels, s.new(styles).Update(focusMsg(i == 0)))
	}
	return m.show()
}

// Init starts reading and ticking.
func (m Model) Init() tea.Cmd { return tea.Batch(m.readAll(), m.world.tick()) }

// readAll asks every source. From then on each one is asked at its own pace.
func (m Model) readAll() tea.Cmd {
	var all []tea.Cmd
	for _, source := range telemetry.Sources {
		all = append(all, m.world.read(m.round, source))
	}
	return tea.Batch(all...)
}

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
		if msg.round == m.round && !m.scene.paused {
			cmd = m.world.read(m.round, msg.source)
		}
		return m, cmd
	case readMsg:
		m, cmd = m.received(msg)
	case tea.KeyMsg:
		m, cmd = m.pressed(msg)
	}
	return m.show(), cmd
}

func (m Model) received(msg readMsg) (Model, tea.Cmd) {
	if msg.round != m.round || m.scene.paused {
		return m, nil
	}
	m.scene.now = msg.at
	m.canvas.news[msg.source]++
	h := m.scene.health[msg.source]
	if msg.err != nil {
		m.scene.health[msg.source] = h.failed(msg.err, m.opts.Command)
	} else {
		if msg.snap.At.IsZero() {
			msg.snap.At = msg.at
		}
		if msg.source == telemetry.Prometheus && !msg.snap.At.Equal(h.dataAt) { // a source may answer twice from one measurement
			m.scene.history = m.scene.history.with(msg.snap.Edges, h.missed(msg.snap.At, m.opts.Refresh))
		}
		m.scene.health[msg.source] = h.ok(msg.snap.At)
		m.scene.snap = m.scene.snap.With(msg.source, msg.snap)
	}
	if run := m.scene.snap.Run; run != nil {
		m.sawRun = m.sawRun || run.Phase != runDone || run.Started.After(m.opened)
		if m.opts.ExitWhenDone && run.Phase == runDone && m.sawRun {
			m.exiting = true
			return m, tea.Quit
		}
	}
	return m, m.world.due(m.round, msg.source, m.scene.health[msg.source].wait(m.opts.Refresh))
}

func (m Model) pressed(msg tea.KeyMsg) (Model, tea.Cmd) {
	m.panels = slices.Clone(m.panels)
	m.canvas.keys++
	switch {
	case key.Matches(msg, m.keys.Interrupt):
		m.exiting = true
		return m, tea.Interrupt
	case key.Matches(msg, m.keys.Quit):
		m.exiting = true
		return m, tea.Quit
	case key.Matches(msg, m.keys.Help):
		m.help.ShowAll = !m.help.ShowAll
	case key.Matches(msg, m.keys.Close):
		m.help.ShowAll = false
	case key.Matches(msg, m.keys.Next):
		m = m.focused(m.focus + 1)
	case key.Matches(msg, m.keys.Back):
		m = m.focused(m.focus + len(m.panels) - 1)
	case key.Matches(msg, m.keys.Pause):
		m.scene.paused = !m.scene.paused
		m.round++ // answers still on their way are of the past
		if !m.scene.paused {
			return m, m.readAll()
		}
	default:
		m.panels[m.focus] = m.panels[m.focus].Update(msg)
	}
	return m, nil
}

// focused moves the focus to a panel, counted round.
func (m Model) focused(panel int) Model {
	m.panels[m.focus] = m.panels[m.focus].Update(focusMsg(false))
	m.focus = panel % len(m.panels)
	m.panels[m.focus] = m.panels[m.focus].Update(focusMsg(true))
	return m
}
