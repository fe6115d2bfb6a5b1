package tui

import (
	"sync"
	"time"
)

// inflight counts the commands that are running, so that Run can wait for them before it returns.
type inflight struct {
	mu     sync.Mutex
	count  int
	closed bool
	idle   chan struct{}
}

func newInflight() *inflight { return &inflight{idle: make(chan struct{})} }

// start reports whether a command may start. If so, the caller must call finish.
func (f *inflight) start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.count++
	return true
}

func (f *inflight) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count--; f.closed && f.count == 0 {
		close(f.idle)
	}
}

// drain lets no more commands start, and waits for the running ones, at most for the duration within. It must be called only once.
func (f *inflight) drain(within time.Duration) {
	f.mu.Lock()
	f.closed = true
	busy := f.count > 0
	f.mu.Unlock()
	if !busy {
		return
	}
	select {
	case <-f.idle:
	case <-time.After(within):
	}
}
