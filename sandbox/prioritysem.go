package sandbox

import (
	"context"
	"slices"
	"sync"
)

// prioritySem is a semaphore with one permit. Of all waiting callers the one with the lowest rank is next; equal ranks are served in the order of
// their calls.
type prioritySem struct {
	mu      sync.Mutex
	taken   bool
	waiting []waiter
}

type waiter struct {
	rank int
	turn chan struct{}
}

// acquire waits for the permit. The caller must call release if the error is nil.
func (t *prioritySem) acquire(ctx context.Context, rank int) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	w := waiter{rank, make(chan struct{})}
	// Insert after the waiters of the same rank.
	at, _ := slices.BinarySearchFunc(t.waiting, rank+1, func(w waiter, rank int) int { return w.rank - rank })
	t.waiting = slices.Insert(t.waiting, at, w)
	t.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	at = slices.Index(t.waiting, w)
	if at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
	}
	t.mu.Unlock()
	// The permit was granted while ctx ended.
	if at < 0 {
		t.release()
	}
	return ctx.Err()
}

func (t *prioritySem) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0].turn)
	t.waiting = t.waiting[1:]
}
