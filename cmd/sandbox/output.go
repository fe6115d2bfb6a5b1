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

// output is what a command writes to. A terminal stays the file that it is, for those who draw on it.
func output(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return f
	}
	return newLasting(f)
}

// lasting is an output whose reader may go away, as `head` does. What is written from then on is dropped, and is no error: the command goes on,
// above all to its clean-up.
type lasting struct {
	out  io.Writer
	gone chan struct{} // closed when the reader is gone
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

// whileRead returns a context that also ends when out has lost its reader, for commands that do nothing else than write.
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
