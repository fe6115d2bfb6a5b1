package tui

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Ask reads every source once, all at the same time and with the deadline that the screen has, and returns the readings in the order of the feed.
func Ask(ctx context.Context, feed telemetry.Feed) []telemetry.Reading {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	all := make([]telemetry.Reading, len(feed))
	var reads sync.WaitGroup
	for i, source := range feed {
		reads.Go(func() { all[i] = read(ctx, source, time.Now) })
	}
	reads.Wait()
	return all
}

// Still draws the screen that shows readings at a time, without colours and keys. The lines have no trailing spaces.
func Still(readings []telemetry.Reading, opts Options, now time.Time, width, height int) string {
	renderer := lipgloss.NewRenderer(io.Discard)
	renderer.SetColorProfile(termenv.Ascii)
	names := make([]string, len(readings))
	for i, r := range readings {
		names[i] = r.Source
	}
	m := newModel(opts, noEffects(), NewStyles(renderer), names, now)
	m.still = true
	m.size = size{width, height}
	for _, r := range readings {
		m, _ = m.received(readMsg{Reading: r, done: now})
	}
	m, _ = m.show()
	lines := strings.Split(m.View(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// noEffects is for a screen that is not shown: it neither reads nor ticks.
func noEffects() effects {
	return effects{
		read: func(int, string) tea.Cmd { return nil },
		due:  func(int, string, time.Duration) tea.Cmd { return nil },
		tick: func() tea.Cmd { return nil },
	}
}
