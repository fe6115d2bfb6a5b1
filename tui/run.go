package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Options are the options of the screen.
type Options struct {
	// In provides the keys. If it is nil, there are none.
	In io.Reader
	// Out is where the screen is drawn. It is required.
	Out io.Writer
	// Name is the name of the sandbox.
	Name string
	// NoColor draws without colours, with the same information.
	NoColor bool
	// Refresh is the pause between two reads of a source. The default is 500 ms.
	Refresh time.Duration
	// ExitWhenDone leaves the screen when a run ends that was running, or started, while the screen was open.
	ExitWhenDone bool
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	// Command renders a command of this program from its verb and arguments, for remedies. The default renders it for the default sandbox.
	Command func(args []string) string
}

const (
	defaultRefresh = 500 * time.Millisecond
	tickEvery      = 200 * time.Millisecond
	// readWithin is the deadline of a read.
	readWithin = 5 * time.Second
	// leaveWithin is how long Run waits for reads that ignore their context.
	leaveWithin = time.Second
)

// ErrInterrupted is returned if the user left with Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// Run shows the screen until the user leaves it, the watched run is done (ExitWhenDone), or ctx ends. It returns ErrInterrupted after Ctrl-C and the
// error of ctx if that has ended.
func Run(ctx context.Context, feed telemetry.Feed, opts Options) error {
	if opts.Out == nil {
		return errors.New("showing the screen: there is no output to draw on")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	renderer := lipgloss.NewRenderer(opts.Out)
	if opts.NoColor {
		renderer.SetColorProfile(termenv.Ascii)
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	running := newInflight()
	names := make([]string, len(feed))
	for i, source := range feed {
		names[i] = source.Source
	}
	model := newModel(opts, newEffects(inner, feed, opts.Now, running), NewStyles(renderer), names, opts.Now())
	_, err := tea.NewProgram(model, tea.WithContext(inner), tea.WithInput(opts.In), tea.WithOutput(opts.Out),
		tea.WithAltScreen(), tea.WithoutSignalHandler()).Run()
	cancel()
	running.drain(leaveWithin)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, tea.ErrInterrupted):
		return ErrInterrupted
	case err != nil:
		return fmt.Errorf("showing the screen: %w", err)
	}
	return nil
}

// newEffects returns the effects of a screen that is shown. They read the feed, wait in real time, and end with ctx.
func newEffects(ctx context.Context, feed telemetry.Feed, now func() time.Time, running *inflight) effects {
	readers := make(map[string]telemetry.Reader, len(feed))
	for _, source := range feed {
		readers[source.Source] = source
	}
	counted := func(f func() tea.Msg) tea.Cmd {
		return func() tea.Msg {
			if !running.start() {
				return nil
			}
			defer running.finish()
			return f()
		}
	}
	after := func(d time.Duration, msg func() tea.Msg) tea.Cmd {
		return counted(func() tea.Msg {
			if pause.For(ctx, d) != nil {
				return nil
			}
			return msg()
		})
	}
	return effects{
		read: func(round int, source string) tea.Cmd {
			return counted(func() tea.Msg {
				ctx, cancel := context.WithTimeout(ctx, readWithin)
				defer cancel()
				reading := read(ctx, readers[source], now)
				return readMsg{Reading: reading, round: round, done: now()}
			})
		},
		due: func(round int, source string, wait time.Duration) tea.Cmd {
			return after(wait, func() tea.Msg { return dueMsg{round, source} })
		},
		tick: func() tea.Cmd { return after(tickEvery, func() tea.Msg { return tickMsg(now()) }) },
	}
}
