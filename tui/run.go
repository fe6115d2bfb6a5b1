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

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Options say how the screen is shown.
type Options struct {
	In           io.Reader        // keys; nil takes none
	Out          io.Writer        // where the screen is drawn; required
	Name         string           // the sandbox's name
	NoColor      bool             // draw without colour; the information is the same
	Refresh      time.Duration    // between reads of a source; 0 is 500ms
	ExitWhenDone bool             // leave when the run that this screen watched is done
	Now          func() time.Time // the clock; nil is time.Now

	// Command renders a command of this program, given its verb and arguments, as a remedy; nil renders it for the default sandbox.
	Command func(args []string) string
}

const (
	defaultRefresh = 500 * time.Millisecond
	tickEvery      = 200 * time.Millisecond
	readWithin     = 5 * time.Second // longer, and the read counts as failed
	leaveWithin    = time.Second     // how long a feed that ignores its context may hold up the exit
)

// ErrInterrupted says that the user left with Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// Run shows the screen until the user leaves it, the watched run is done, or ctx ends, whose error it then returns.
func Run(ctx context.Context, feed Feed, opts Options) error {
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
	model := newModel(opts, newWorld(inner, feed, opts.Now, running), NewStyles(renderer), opts.Now())
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

// newWorld binds the model's commands to the feed and to real time.
func newWorld(ctx context.Context, feed Feed, now func() time.Time, running *inflight) world {
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
			select {
			case <-time.After(d):
				return msg()
			case <-ctx.Done():
				return nil
			}
		})
	}
	return world{
		read: func(round int, source telemetry.Source) tea.Cmd {
			return counted(func() tea.Msg {
				ctx, cancel := context.WithTimeout(ctx, readWithin)
				defer cancel()
				snap, err := read(ctx, feed, source)
				return readMsg{round: round, source: source, at: now(), snap: snap, err: err}
			})
		},
		due: func(round int, source telemetry.Source, wait time.Duration) tea.Cmd {
			return after(wait, func() tea.Msg { return dueMsg{round, source} })
		},
		tick: func() tea.Cmd { return after(tickEvery, func() tea.Msg { return tickMsg(now()) }) },
	}
}
