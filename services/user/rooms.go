package user

import (
	"context"
	"log/slog"
	"sync"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// queueLength is how many messages may wait for one reader.
const queueLength = 256

// rooms has a feed for each room with readers in this replica. Messages from other replicas arrive as notifications of the database.
type rooms struct {
	messages messages
	db       *postgres.DB
	log      *slog.Logger
	stopping <-chan struct{}
	// streams has the goroutines that serve streams. They end shortly after their handlers.
	streams sync.WaitGroup

	mu     sync.Mutex
	feeds  map[string]*feed
	closed bool
}

func newRooms(db *postgres.DB, log *slog.Logger, stopping <-chan struct{}) *rooms {
	return &rooms{messages: messages{db}, db: db, log: log, stopping: stopping, feeds: map[string]*feed{}}
}

// run wakes feeds when messages were stored, until ctx ends. Then it waits for the streams, which end at the same time.
func (r *rooms) run(ctx context.Context) error {
	err := r.db.Listen(ctx, chatChannel, r.wake)
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.streams.Wait()
	return err
}

// begin starts the goroutines of a stream. It returns false if the replica is stopping.
func (r *rooms) begin(work ...func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	for _, w := range work {
		r.streams.Go(w)
	}
	return true
}

// wake wakes the feed of a room, or all feeds if the name is empty.
func (r *rooms) wake(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, f := range r.feeds {
		if room == "" || room == name {
			f.wakeUp()
		}
	}
}

// attach adds a reader that continues after cursor. The caller must call the returned detach.
func (r *rooms) attach(room string, cursor int64, tooSlow func()) (*reader, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.feeds[room]
	if f == nil {
		f = newFeed(room, cursor, r.messages, r.log)
		r.feeds[room] = f
		r.streams.Go(f.run)
	}
	reader := &reader{queue: make(chan *userv1.ChatMessage, queueLength), tooSlow: tooSlow}
	f.add(reader)
	return reader, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if f.remove(reader) == 0 && r.feeds[room] == f {
			delete(r.feeds, room)
			f.stop()
		}
	}
}
