package limit

import (
	"container/list"
	"context"
	"time"
)

// Turn is a call that waits in the lines of leaky buckets. It has a token of every other limit already.
type Turn struct {
	rates  *Rates
	places []place
	// woken has a value when the call may have become the first of a line, or when the pace of a limit has changed.
	woken chan struct{}
}

// place is the place of a call in the line of a bucket. at is nil when the call has its token.
type place struct {
	limit  *Rate
	bucket *bucket
	at     *list.Element
}

// wake lets the call look at its places again.
func (t *Turn) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// Wait waits for the turn. If ctx ends earlier, the call leaves the lines, those behind it move up, and its tokens are given back.
func (t *Turn) Wait(ctx context.Context) error {
	for {
		next, done := t.advance()
		if done {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-t.woken:
		case <-ctx.Done():
			timer.Stop()
			t.leave()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// advance takes the token of each line in which it is the call's turn. It returns after how long to try again, and true when the call has all
// its tokens.
func (t *Turn) advance() (next time.Duration, done bool) {
	t.rates.mu.Lock()
	defer t.rates.mu.Unlock()
	now := time.Now()
	// A call that is not the first is woken.
	next, done = time.Hour, true
	for i := range t.places {
		p := &t.places[i]
		if p.at == nil {
			continue
		}
		p.bucket.refill(now, p.limit.pace)
		wait := p.bucket.until(1, p.limit.pace)
		if p.bucket.line.Front() != p.at || wait > 0 {
			done = false
			if p.bucket.line.Front() == p.at {
				next = min(next, wait)
			}
			continue
		}
		p.bucket.tokens--
		p.bucket.line.Remove(p.at)
		p.at = nil
		p.bucket.first()
	}
	return next, done
}

func (t *Turn) leave() {
	t.rates.mu.Lock()
	defer t.rates.mu.Unlock()
	for _, p := range t.places {
		if p.at == nil {
			p.bucket.add(1, p.limit.pace)
		} else {
			p.bucket.line.Remove(p.at)
		}
		p.bucket.first()
	}
}
