package user

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// feedRetry is the pause of a feed after an error of the database.
const feedRetry = 300 * time.Millisecond

// feed reads the messages of one room, once for all readers of this replica.
type feed struct {
	room     string
	messages messages
	log      *slog.Logger
	woken    chan struct{}
	ctx      context.Context
	stop     context.CancelFunc

	mu sync.Mutex
	// last is the id of the last message that was given to the readers.
	last    int64
	readers map[*reader]bool
}

// reader has a bounded queue. If the queue is full, the reader is removed from the feed and tooSlow is called.
type reader struct {
	queue   chan *userv1.ChatMessage
	tooSlow func()
}

func newFeed(room string, last int64, m messages, log *slog.Logger) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{room: room, messages: m, log: log, woken: make(chan struct{}, 1), ctx: ctx, stop: stop, last: last, readers: map[*reader]bool{}}
	// A message may have been stored since the first reader looked.
	f.wakeUp()
	return f
}

// wakeUp makes run look for new messages. It never blocks.
func (f *feed) wakeUp() {
	select {
	case f.woken <- struct{}{}:
	// run is going to look anyway.
	default:
	}
}

// add gives later messages to a reader too.
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

// run delivers new messages until the feed is stopped.
func (f *feed) run() {
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-f.woken:
		}
		if err := f.deliverNew(); err != nil {
			f.log.Debug("reading a room", "room", f.room, "error", err)
			if pause.For(f.ctx, feedRetry) != nil {
				return
			}
			f.wakeUp()
		}
	}
}

// deliverNew reads all new messages and gives them to the readers.
func (f *feed) deliverNew() error {
	for {
		// Only run changes last.
		page, err := f.messages.since(f.ctx, f.room, f.last)
		if err != nil {
			return err
		}
		f.deliver(page)
		if len(page) < pageSize {
			return nil
		}
	}
}

// deliver gives messages to all readers without waiting for any of them.
func (f *feed) deliver(page []*userv1.ChatMessage) {
	for _, r := range f.enqueue(page) {
		r.tooSlow()
	}
}

// enqueue returns the readers whose queue was full.
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
