package tui

import (
	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/lipgloss"
)

// Styles are the text styles. They use the sixteen colours of the terminal, so they follow its theme.
type Styles struct {
	Plain, Title, Focused, Faint, Good, Warn, Bad lipgloss.Style
}

// NewStyles returns the styles for the colours that r can show. If there are none, the styles do not change the text.
func NewStyles(r *lipgloss.Renderer) Styles {
	plain := r.NewStyle()
	return Styles{
		Plain:   plain,
		Title:   plain.Bold(true),
		Focused: plain.Bold(true).Foreground(lipgloss.Color("6")),
		Faint:   plain.Faint(true),
		Good:    plain.Foreground(lipgloss.Color("2")),
		Warn:    plain.Foreground(lipgloss.Color("3")),
		Bad:     plain.Bold(true).Foreground(lipgloss.Color("1")),
	}
}

func (s Styles) help() help.Styles {
	return help.Styles{
		Ellipsis: s.Faint, ShortSeparator: s.Faint, FullSeparator: s.Faint,
		ShortKey: s.Title, FullKey: s.Title,
		ShortDesc: s.Plain, FullDesc: s.Plain,
	}
}
