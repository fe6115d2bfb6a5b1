package tui

import (
	"slices"
	"time"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// tickMsg advances the ages and the spinner.
type tickMsg time.Time

// readMsg is a reading of a source. A reading from an earlier round, before a pause, is not shown.
type readMsg struct {
	telemetry.Reading
	round int
	// done is the time at which the read returned.
	done time.Time
}

// dueMsg reports that it is time to read a source again.
type dueMsg struct {
	round  int
	source string
}

// effects are the commands of the screen that have an effect outside it.
type effects struct {
	read func(round int, source string) tea.Cmd
	due  func(round int, source string, wait time.Duration) tea.Cmd
	tick func() tea.Cmd
}

// Model is the whole screen.
type Model struct {
	opts    Options
	effects effects
	keys    KeyMap
	help    help.Model
	styles  Styles
	slots   []slot
	// panels are the panels of the slots, in the same order.
	panels []panel
	// focus is the index of the panel that has the focus.
	focus   int
	sources []source
	// initial is the command that the panels returned when they were created.
	initial tea.Cmd
	now     time.Time
	opened  time.Time
	paused  bool
	// round is the number of pauses and resumptions so far.
	round   int
	ticks   int
	size    size
	exiting bool
	// still is true if the screen is drawn once, without keys.
	still  bool
	canvas canvas
}

func newModel(opts Options, e effects, styles Styles, names []string, now time.Time) Model {
	if opts.Refresh <= 0 {
		opts.Refresh = defaultRefresh
	}
	m := Model{opts: opts, effects: e, keys: NewKeyMap(), help: help.New(), styles: styles, now: now, opened: now,
		sources: newSources(names, max(4*opts.Refresh, 3*time.Second)),
		// The terminal has not reported its own size yet.
		size: size{80, 24}}
	m.help.Styles = styles.help()
	m.slots = slotsOf(m.sources)
	for _, s := range m.slots {
		m.panels = append(m.panels, s.new(styles))
	}
	m, focused := m.send(focusMsg(true), func(i int) bool { return i == 0 })
	m, shown := m.show()
	m.initial = both(focused, shown)
	return m
}

// Init starts reading and ticking.
func (m Model) Init() tea.Cmd { return tea.Batch(m.initial, m.readAll(), m.effects.tick()) }

// readAll reads every source. After that, each one is read at its own pace.
func (m Model) readAll() tea.Cmd {
	var all []tea.Cmd
	for _, s := range m.sources {
		all = append(all, m.effects.read(m.round, s.name))
	}
	return tea.Batch(all...)
}

// Update is the only place where the screen changes its state.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.size = size{msg.Width, msg.Height}
	case tickMsg:
		m.now = time.Time(msg)
		m.ticks++
		cmd = m.effects.tick()
	case dueMsg:
		if msg.round == m.round && !m.paused {
			cmd = m.effects.read(m.round, msg.source)
		}
		return m, cmd
	case readMsg:
		m, cmd = m.received(msg)
	case tea.KeyMsg:
		m, cmd = m.pressed(msg)
	case runDoneMsg:
		if m.opts.ExitWhenDone && (msg.watched || msg.started.After(m.opened)) {
			m.exiting = true
			return m, tea.Quit
		}
	// The message of a panel's command goes to all panels.
	default:
		m.canvas.inputs++
		m, cmd = m.send(msg, func(int) bool { return true })
	}
	m, shown := m.show()
	return m, both(cmd, shown)
}

// received updates the health of a source, gives its data to the panels that draw it, and schedules the next read.
func (m Model) received(msg readMsg) (Model, tea.Cmd) {
	index := indexOf(m.sources, msg.Source)
	if index < 0 || msg.round != m.round || m.paused {
		return m, nil
	}
	m.now = msg.done
	s := m.sources[index]
	s.news++
	var cmd tea.Cmd
	if msg.Err != nil {
		s.health = s.health.failed(msg.Err, m.opts.Command)
	} else {
		data := dataMsg{Reading: msg.Reading, missed: s.health.missed(msg.At, m.opts.Refresh)}
		s.health = s.health.ok(msg.At)
		m, cmd = m.send(data, func(i int) bool { return m.slots[i].source == msg.Source })
	}
	m.sources = slices.Clone(m.sources)
	m.sources[index] = s
	return m, both(cmd, m.effects.due(m.round, s.name, s.health.wait(m.opts.Refresh)))
}

func (m Model) pressed(msg tea.KeyMsg) (Model, tea.Cmd) {
	m.canvas.inputs++
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
		return m.moveFocus(1)
	case key.Matches(msg, m.keys.Back):
		return m.moveFocus(-1)
	case key.Matches(msg, m.keys.Pause):
		m.paused = !m.paused
		// A new round drops the readings that are under way.
		m.round++
		if !m.paused {
			return m, m.readAll()
		}
	default:
		return m.send(msg, m.hasFocus)
	}
	return m, nil
}

func (m Model) hasFocus(panel int) bool { return panel == m.focus }

// moveFocus moves the focus by a number of panels; after the last one comes the first.
func (m Model) moveFocus(by int) (Model, tea.Cmd) {
	m, left := m.send(focusMsg(false), m.hasFocus)
	if n := len(m.panels); n > 0 {
		m.focus = (m.focus + by + n) % n
	}
	m, entered := m.send(focusMsg(true), m.hasFocus)
	return m, both(left, entered)
}

// send gives a message to some of the panels and returns their commands.
func (m Model) send(msg tea.Msg, to func(panel int) bool) (Model, tea.Cmd) {
	m.panels = slices.Clone(m.panels)
	var all tea.Cmd
	for i, p := range m.panels {
		if to(i) {
			next, cmd := p.Update(msg)
			m.panels[i], all = next, both(all, cmd)
		}
	}
	return m, all
}

// both returns a command that runs a and b, each of which may be nil. Most messages lead to no command, which costs no allocation.
func both(a, b tea.Cmd) tea.Cmd {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	default:
		return tea.Batch(a, b)
	}
}
