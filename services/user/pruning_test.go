package user

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestPruning_KeepsNewestMessages(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.Database(t)
	filled(t, server, database, 25)
	client, _ := replicaWith(t, server, database, Config{Keep: 10, Every: 20 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first := func(after int64) (int64, error) {
		stream := join(ctx, t, client, "bob", "room0", after)
		defer func() { _ = stream.CloseSend() }()
		m, err := stream.Recv()
		return m.GetId(), err
	}
	pgtest.Eventually(t, "the excess messages are deleted", func() bool {
		id, _ := first(0)
		return id == 16
	})
	for _, c := range []struct {
		sentence string
		after    int64
		// id is that of the first message received.
		id     int64
		code   codes.Code
		reason string
	}{
		{"id 0 returns all that are kept", 0, 16, codes.OK, ""},
		{"the last pruned id: nothing is missing", 15, 16, codes.OK, ""},
		{"an id that was not pruned", 24, 25, codes.OK, ""},
		{"the id before: one message is missing", 14, 0, codes.OutOfRange, ReasonPruned},
		{"an old id", 1, 0, codes.OutOfRange, ReasonPruned},
		{"an id that does not exist yet is another error", 26, 0, codes.OutOfRange, ""},
	} {
		id, err := first(c.after)
		if id != c.id || status.Code(err) != c.code || refusal.Reason(err) != c.reason {
			t.Errorf("%s: got %d, %v", c.sentence, id, err)
		}
	}
}

// room is written without a service.
type room struct {
	messages
	name string
}

// filled makes room0, room1 and so on, with the given numbers of messages.
func filled(t *testing.T, server *pgtest.Server, database string, sizes ...int) (m messages, all []room) {
	t.Helper()
	cfg := server.Config(t, database, "userservice", "users")
	cfg.Migrations = Migrations()
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "the database is ready", db.Ready)
	m = messages{db}
	for i, size := range sizes {
		r := room{m, fmt.Sprint("room", i)}
		r.exec(t, "INSERT INTO rooms VALUES ($1, $2)", r.name, size)
		r.exec(t, "INSERT INTO messages (room, id, user_id, text) SELECT $1, id, 'ada', 'x' FROM generate_series(1, $2::bigint) AS id", r.name, size)
		all = append(all, r)
	}
	return m, all
}

func (m messages) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	err := m.db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// kept returns "oldest id to newest id, count".
func (r room) kept(t *testing.T) (s string) {
	t.Helper()
	err := r.db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT min(id) || ' to ' || max(id) || ', ' || count(*) FROM messages WHERE room = $1", r.name).Scan(&s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPruning_ConcurrentReplicas(t *testing.T) {
	server := pgtest.Shared(t)
	m, rooms := filled(t, server, server.Database(t), 5500, 10, 11)
	ctx := t.Context()
	if n, err := m.pruneSome(ctx, 10); n != pruneAtOnce || err != nil {
		t.Errorf("the first transaction deleted %d, %v", n, err)
	}
	if got := rooms[0].kept(t); got != "1001 to 5500, 4500" {
		t.Error("after the first transaction the room keeps", got)
	}
	var deleted atomic.Int64
	var pruning sync.WaitGroup
	for range 4 {
		pruning.Go(func() {
			n, err := m.prune(ctx, 10)
			if err != nil {
				t.Error(err)
			}
			deleted.Add(n)
		})
	}
	// A message is sent at the same time.
	pruning.Go(func() {
		for i := range 20 {
			if id, err := m.say(ctx, &userv1.ChatMessage{Room: rooms[0].name, UserId: "ada", Text: "x"}); id != int64(5501+i) || err != nil {
				t.Errorf("said %d, %v", id, err)
			}
		}
	})
	pruning.Wait()
	n, err := m.prune(ctx, 10)
	if total := deleted.Add(n); total != 4500+20-10+1 || err != nil {
		t.Errorf("%d were deleted, %v", total, err)
	}
	for i, want := range []string{"5511 to 5520, 10", "1 to 10, 10", "2 to 11, 10"} {
		if got := rooms[i].kept(t); got != want {
			t.Errorf("%s keeps %s, want %s", rooms[i].name, got, want)
		}
	}
	// A replica that keeps more must not undo anything.
	if n, err := m.prune(ctx, 1000); n != 0 || err != nil {
		t.Errorf("%d were deleted, %v", n, err)
	}
	if pruned, newest, err := m.bounds(ctx, rooms[0].name); pruned != 5510 || newest != 5520 || err != nil {
		t.Errorf("pruned up to %d of %d, %v", pruned, newest, err)
	}
}

// TestSay_RepeatedWhilePruned repeats the message of a room that keeps one message, while it is pruned.
func TestSay_RepeatedWhilePruned(t *testing.T) {
	server := pgtest.Shared(t)
	m, all := filled(t, server, server.Database(t), 1)
	ctx, enough := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		for ctx.Err() == nil {
			if _, err := m.prune(ctx, 1); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		said := &userv1.ChatMessage{Room: all[0].name, UserId: "ada", Text: "x", Key: "one key"}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if _, err := m.say(t.Context(), said); err != nil {
					t.Error(err)
				}
			})
		}
		// This makes the repeated message too old.
		both.Go(func() {
			if _, err := m.say(t.Context(), &userv1.ChatMessage{Room: all[0].name, UserId: "bob", Text: "y"}); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
	enough()
	busy.Wait()
}

// TestPruning_OtherReplicaKeepsLess checks that a replica does not undo what another one, which keeps less, prunes at the same moment.
func TestPruning_OtherReplicaKeepsLess(t *testing.T) {
	server := pgtest.Shared(t)
	m, all := filled(t, server, server.Database(t), 100)
	pruned := make(chan error, 1)
	err := m.db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE rooms SET pruned = 95"); err != nil {
			return err
		}
		go func() {
			_, err := m.prune(t.Context(), 10)
			pruned <- err
		}()
		pgtest.Eventually(t, "the transaction waits for the room", func() (waits bool) {
			// Otherwise a transaction sees its first snapshot only.
			if _, err := tx.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil {
				return false
			}
			err := tx.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waits)
			return err == nil && waits
		})
		return nil
	})
	if err := errors.Join(err, <-pruned); err != nil {
		t.Fatal(err)
	}
	if upTo, _, err := m.bounds(t.Context(), all[0].name); upTo != 95 || err != nil {
		t.Errorf("pruned up to %d, %v", upTo, err)
	}
}

// silent is a stream on which nothing can be sent.
type silent struct {
	chatStream
	ctx context.Context
}

func (s silent) Context() context.Context { return s.ctx }

func TestVisit_ReaderBehindPrunedMessages(t *testing.T) {
	server := pgtest.Shared(t)
	m, all := filled(t, server, server.Database(t), 100)
	if _, err := m.prune(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sentence   string
		cursor, id int64
		code       codes.Code
		reason     string
	}{
		{"some unread messages were pruned", 5, 91, codes.OutOfRange, ReasonPruned},
		{"all unread messages are kept, so a gap is an internal error", 90, 92, codes.Internal, ""},
	} {
		v := &visit{rooms: &rooms{messages: m}, stream: silent{ctx: t.Context()}, join: &userv1.ChatMessage{Room: all[0].name}, cursor: c.cursor}
		if err := v.deliver(&userv1.ChatMessage{Id: c.id}); status.Code(err) != c.code || refusal.Reason(err) != c.reason {
			t.Errorf("%s: got %v", c.sentence, err)
		}
	}
}
