package sandbox

import (
	"context"
	"slices"
	"sync"
)

// turns lets one at a time work, and next, of all who wait, the one of the lowest rank.
type turns struct {
	mu      sync.Mutex
	taken   bool
	waiting []waiter
}

type waiter struct {
	rank int
	turn chan struct{}
}

// take waits for a turn; whoever gets one gives it back.
func (t *turns) take(ctx context.Context, rank int) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	w := waiter{rank, make(chan struct{})}
	at, _ := slices.BinarySearchFunc(t.waiting, rank+1, func(w waiter, rank int) int { return w.rank - rank }) // after its equals
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
	if at < 0 { // it came at the same moment
		t.give()
	}
	return ctx.Err()
}

func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0].turn)
	t.waiting = t.waiting[1:]
}
