package tui

import "github.com/charmbracelet/bubbles/key"

// KeyMap is the keys of the whole screen; a panel adds its own.
type KeyMap struct {
	Quit, Interrupt, Next, Back, Pause, Help, Close key.Binding
	panel                                           []key.Binding // of the focused panel
}

// NewKeyMap returns the screen's keys.
func NewKeyMap() KeyMap {
	return KeyMap{
		Quit: key.NewBinding(key.WithKeys("q"), key.WithHelp("q", "quit")),
		// The terminal is raw, so it makes no signal of it.
		Interrupt: key.NewBinding(key.WithKeys("ctrl+c")),
		Back:      key.NewBinding(key.WithKeys("shift+tab")),
		Close:     key.NewBinding(key.WithKeys("esc")),
		Next:      key.NewBinding(key.WithKeys("tab"), key.WithHelp("tab", "next panel")),
		Pause:     key.NewBinding(key.WithKeys("p"), key.WithHelp("p", "pause")),
		Help:      key.NewBinding(key.WithKeys("?"), key.WithHelp("?", "help")),
	}
}

// ShortHelp is the footer.
func (k KeyMap) ShortHelp() []key.Binding {
	return append([]key.Binding{k.Quit, k.Help, k.Next, k.Pause}, k.panel...)
}

// FullHelp is the footer after the help key, in columns.
func (k KeyMap) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Quit, k.Next, k.Pause, k.Help}, k.panel}
}
