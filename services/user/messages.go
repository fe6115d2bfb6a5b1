package user

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// chatChannel is the notification channel of PostgreSQL. A payload is the name of a room with a new message.
const chatChannel = "chat"

// messages keeps the messages of all rooms. It returns errors with a gRPC status.
type messages struct{ db *postgres.DB }

// errDuplicate rolls back the transaction of a message that is stored already.
var errDuplicate = errors.New("said before")

// say stores a message and returns its id. A message whose key is stored already is not stored again. The transaction locks the room, so that
// the earlier message cannot be pruned at the same time.
func (m messages) say(ctx context.Context, said *userv1.ChatMessage) (int64, error) {
	var id int64
	err := m.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO rooms AS r (room, last_id) VALUES ($1, 1)
			ON CONFLICT (room) DO UPDATE SET last_id = r.last_id + 1 RETURNING last_id`, said.GetRoom()).Scan(&id)
		if err != nil {
			return err
		}
		stored, err := tx.Exec(ctx, `
			INSERT INTO messages (room, id, user_id, text, key) VALUES ($1, $2, $3, $4, nullif($5, ''))
			ON CONFLICT (room, user_id, key) DO NOTHING`, said.GetRoom(), id, said.GetUserId(), said.GetText(), said.GetKey())
		if err != nil {
			return err
		}
		if stored.RowsAffected() == 0 {
			err := tx.QueryRow(ctx, "SELECT id FROM messages WHERE room = $1 AND user_id = $2 AND key = $3",
				said.GetRoom(), said.GetUserId(), said.GetKey()).Scan(&id)
			if err != nil {
				return err
			}
			return errDuplicate
		}
		_, err = tx.Exec(ctx, "SELECT pg_notify($1, $2)", chatChannel, said.GetRoom())
		return err
	})
	if errors.Is(err, errDuplicate) {
		return id, nil
	}
	return id, postgres.Status(err)
}

// bounds returns the id up to which the messages of a room were pruned, and the id of the last message. Both are 0 for an empty room.
func (m messages) bounds(ctx context.Context, room string) (pruned, newest int64, err error) {
	err = m.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT pruned, last_id FROM rooms WHERE room = $1", room).Scan(&pruned, &newest)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return pruned, newest, postgres.Status(err)
}

// pageSize is how many messages are read at a time.
const pageSize = 100

// since returns the first page of messages after an id.
func (m messages) since(ctx context.Context, room string, after int64) (page []*userv1.ChatMessage, err error) {
	scan := func(row pgx.CollectableRow) (*userv1.ChatMessage, error) {
		said := &userv1.ChatMessage{Room: room}
		var at time.Time
		err := row.Scan(&said.Id, &said.UserId, &said.Text, &said.Key, &at)
		said.Time = timestamppb.New(at)
		return said, err
	}
	page, err = postgres.Collect(ctx, m.db, scan, `
		SELECT id, user_id, text, coalesce(key, ''), said FROM messages WHERE room = $1 AND id > $2 ORDER BY id LIMIT $3`,
		room, after, pageSize)
	return page, postgres.Status(err)
}
