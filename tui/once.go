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

// Answer is what a source said when it was asked once: its part of a snapshot, or why there is none.
type Answer struct {
	Source telemetry.Source
	Snap   telemetry.Snapshot
	Err    error
}

// Answers are those of all sources, in their order.
type Answers [len(telemetry.Sources)]Answer

// Ask asks every source once, all at the same time, and none longer than the screen would.
func Ask(ctx context.Context, feed Feed) (all Answers) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var asked sync.WaitGroup
	for i, source := range telemetry.Sources {
		asked.Go(func() {
			snap, err := read(ctx, feed, source)
			all[i] = Answer{source, snap, err}
		})
	}
	asked.Wait()
	return all
}

// Still draws the screen that shows answers at a moment, without colour and keys. It has no trailing blanks.
func Still(answers Answers, opts Options, now time.Time, width, height int) string {
	renderer := lipgloss.NewRenderer(io.Discard)
	renderer.SetColorProfile(termenv.Ascii)
	m := newModel(opts, idleWorld(), NewStyles(renderer), now)
	m.still = true
	m.size = size{width, height}
	for _, a := range answers {
		m, _ = m.received(readMsg{source: a.Source, at: now, snap: a.Snap, err: a.Err})
	}
	lines := strings.Split(m.show().View(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// idleWorld is for a screen that is not shown: nothing happens to it by itself.
func idleWorld() world {
	return world{
		read: func(int, telemetry.Source) tea.Cmd { return nil },
		due:  func(int, telemetry.Source, time.Duration) tea.Cmd { return nil },
		tick: func() tea.Cmd { return nil },
	}
}
