package user

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// feedRetry is how long a feed waits for a database that is away.
const feedRetry = 300 * time.Millisecond

// feed reads one room, once for all readers of this replica.
type feed struct {
	room     string
	messages messages
	log      *slog.Logger
	woken    chan struct{}
	ctx      context.Context
	stop     context.CancelFunc

	mu      sync.Mutex
	last    int64 // everything up to here was handed out
	readers map[*reader]bool
}

// reader has a bounded queue. Whoever lets it fill up is told so, and forgotten.
type reader struct {
	queue   chan *userv1.ChatMessage
	tooSlow func()
}

func newFeed(room string, last int64, m messages, log *slog.Logger) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{room: room, messages: m, log: log, woken: make(chan struct{}, 1), ctx: ctx, stop: stop, last: last, readers: map[*reader]bool{}}
	f.wakeUp() // something may have been said since the first reader looked
	return f
}

func (f *feed) wakeUp() {
	select {
	case f.woken <- struct{}{}:
	default: // it will look anyway
	}
}

func (f *feed) add(r *reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers[r] = true
}

// remove returns how many readers are left.
func (f *feed) remove(r *reader) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
	return len(f.readers)
}

func (f *feed) run() {
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-f.woken:
		}
		if err := f.pump(); err != nil {
			f.log.Debug("reading a room", "room", f.room, "error", err)
			select {
			case <-f.ctx.Done():
				return
			case <-time.After(feedRetry):
				f.wakeUp()
			}
		}
	}
}

// pump hands out everything new.
func (f *feed) pump() error {
	for {
		page, err := f.messages.since(f.ctx, f.room, f.last) // only run changes last
		if err != nil {
			return err
		}
		f.handOut(page)
		if len(page) < pageSize {
			return nil
		}
	}
}

// handOut never waits for a reader.
func (f *feed) handOut(page []*userv1.ChatMessage) {
	for _, r := range f.enqueue(page) {
		r.tooSlow()
	}
}

// enqueue returns the readers whose queue is full.
func (f *feed) enqueue(page []*userv1.ChatMessage) (slow []*reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range page {
		f.last = m.GetId()
		for r := range f.readers {
			select {
			case r.queue <- m:
			default:
				delete(f.readers, r)
				slow = append(slow, r)
			}
		}
	}
	return slow
}
