package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// output returns the writer for a standard stream. A terminal is returned unchanged, because the screen draws on it.
func output(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return f
	}
	return newLasting(f)
}

// lasting is an output whose reader may exit early, as `head` does. From then on writes are dropped and return no error, so that the command
// continues, in particular with its clean-up.
type lasting struct {
	out io.Writer
	// gone is closed when the reader is gone.
	gone chan struct{}
	once sync.Once
}

func newLasting(out io.Writer) *lasting { return &lasting{out: out, gone: make(chan struct{})} }

func (l *lasting) Write(p []byte) (int, error) {
	n, err := l.out.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		l.once.Do(func() { close(l.gone) })
		return len(p), nil
	}
	return n, err
}

// whileRead returns a context that also ends when out has lost its reader, for commands that only print.
func whileRead(ctx context.Context, out io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if l, ok := out.(*lasting); ok {
		go func() {
			select {
			case <-l.gone:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}
