package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/bubbles/spinner"
	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

// progressScreen shows the progress of steps: a live line for each running step on a terminal, plain lines elsewhere.
type progressScreen struct {
	out  io.Writer
	live bool
	// command renders the commands in remedies.
	command func(args []string) string
	mu      sync.Mutex
	running []*runningStep
	// drawn is the number of live lines on the screen.
	drawn   int
	frame   int
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

type runningStep struct {
	name, doing string
	typical     time.Duration
	since       time.Time
}

func newProgressScreen(proc process, g *globals) *progressScreen {
	live := false
	if f, ok := proc.stderr.(interface{ Fd() uintptr }); ok && proc.getenv("TERM") != "dumb" {
		live = term.IsTerminal(int(f.Fd()))
	}
	return startProgressScreen(proc.stderr, live, g.commandLine)
}

func startProgressScreen(out io.Writer, live bool, command func(args []string) string) *progressScreen {
	ctx, stop := context.WithCancel(context.Background())
	s := &progressScreen{out: out, live: live, command: command, stop: stop}
	every, draw := spinner.MiniDot.FPS, s.animate
	if !live {
		every, draw = remindEvery, s.remind
	}
	s.stopped.Go(func() { _ = pause.Every(ctx, every, draw) })
	return s
}

func (s *progressScreen) animate(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frame++
	s.redraw("")
	return nil
}

func (s *progressScreen) close() {
	s.stop()
	s.stopped.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = nil
	s.redraw("")
}

// observe shows one event.
func (s *progressScreen) observe(p sandbox.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.Note != "":
		s.redraw(fmt.Sprintf("  · %s: %s\n", p.Step, s.noted(p)))
	case p.Done:
		s.remove(p.Step)
		mark := "✓"
		if p.Err != nil {
			mark = "✗"
		}
		s.redraw(fmt.Sprintf("  %s %s (%.1f s)\n", mark, p.Step, p.Took.Seconds()))
	default:
		r := s.find(p.Step)
		changed := p.Doing != "" && p.Doing != r.doing
		r.doing, r.typical = p.Doing, p.Typical
		if changed && !s.live {
			fmt.Fprintf(s.out, "  … %s: %s%s\n", p.Step, p.Doing, typically(p.Typical))
		}
		s.redraw("")
	}
}

// noted returns a note and what the user can do, on one line.
func (s *progressScreen) noted(p sandbox.Progress) string {
	text := p.Note
	for _, r := range p.Remedies {
		text += "; " + strings.Join(r.Lines(s.command), ", ")
	}
	return text
}

func typically(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(" (a cold build takes about %s)", d.Round(time.Second))
}

func (s *progressScreen) find(name string) *runningStep {
	for _, r := range s.running {
		if r.name == name {
			return r
		}
	}
	r := &runningStep{name: name, since: time.Now()}
	s.running = append(s.running, r)
	return r
}

func (s *progressScreen) remove(name string) {
	for i, r := range s.running {
		if r.name == name {
			s.running = append(s.running[:i], s.running[i+1:]...)
			return
		}
	}
}

// redraw erases the live lines, writes a line that stays, and draws the live lines again.
func (s *progressScreen) redraw(keep string) {
	if !s.live {
		io.WriteString(s.out, keep)
		return
	}
	text := ""
	if s.drawn > 0 {
		text = fmt.Sprintf("\x1b[%dA\x1b[J", s.drawn)
	}
	text += keep
	for _, r := range s.running {
		frames := spinner.MiniDot.Frames
		line := fmt.Sprintf("  %s %s", frames[s.frame%len(frames)], r.name)
		if r.doing != "" {
			line += ": " + r.doing
		}
		line += fmt.Sprintf("  %.0f s", time.Since(r.since).Seconds())
		if r.typical > 0 {
			line += fmt.Sprintf(" of about %.0f s", r.typical.Seconds())
		}
		text += clip(line, s.width()) + "\n"
	}
	s.drawn = len(s.running)
	io.WriteString(s.out, text)
}

func (s *progressScreen) width() int {
	if f, ok := s.out.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// clip shortens a line to the width of the terminal. It leaves the last column free, because some terminals wrap when it is written.
func clip(line string, width int) string {
	if r := []rune(line); len(r) > width-1 {
		return string(r[:max(0, width-2)]) + "…"
	}
	return line
}
