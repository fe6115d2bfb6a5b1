package tui

import "github.com/charmbracelet/bubbles/key"

// KeyMap are the keys of the whole screen. A panel adds its own.
type KeyMap struct {
	Quit, Interrupt, Next, Back, Pause, Help, Close key.Binding
	// panel are the keys of the panel that has the focus.
	panel []key.Binding
}

// NewKeyMap returns the screen's keys.
func NewKeyMap() KeyMap {
	return KeyMap{
		Quit: key.NewBinding(key.WithKeys("q"), key.WithHelp("q", "quit")),
		// The terminal is in raw mode, so Ctrl-C is a key and not a signal.
		Interrupt: key.NewBinding(key.WithKeys("ctrl+c")),
		Back:      key.NewBinding(key.WithKeys("shift+tab")),
		Close:     key.NewBinding(key.WithKeys("esc")),
		Next:      key.NewBinding(key.WithKeys("tab"), key.WithHelp("tab", "next panel")),
		Pause:     key.NewBinding(key.WithKeys("p"), key.WithHelp("p", "pause")),
		Help:      key.NewBinding(key.WithKeys("?"), key.WithHelp("?", "help")),
	}
}

// ShortHelp returns the keys of the footer.
func (k KeyMap) ShortHelp() []key.Binding {
	return append([]key.Binding{k.Quit, k.Help, k.Next, k.Pause}, k.panel...)
}

// FullHelp returns the keys of the footer after the help key was pressed, in columns.
func (k KeyMap) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Quit, k.Next, k.Pause, k.Help}, k.panel}
}
