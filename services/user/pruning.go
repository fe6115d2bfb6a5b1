package user

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// ReasonPruned is the reason of OUT_OF_RANGE in a chat: messages after the given id were pruned.
const ReasonPruned = "MESSAGES_PRUNED"

// pruning deletes old messages. Each replica does it; if several do it at the same time, the others find nothing to delete.
type pruning struct {
	messages messages
	keep     int64
	every    time.Duration
	log      *slog.Logger
}

// run prunes at regular intervals until ctx ends.
func (p pruning) run(ctx context.Context) error {
	return governance.Every(ctx, p.every, func(ctx context.Context) error {
		deleted, err := p.messages.prune(ctx, p.keep)
		if err != nil {
			p.log.DebugContext(ctx, "pruning rooms", "error", err)
		}
		if deleted > 0 {
			p.log.InfoContext(ctx, "pruned rooms", "messages", deleted)
		}
		return nil
	})
}

// pruneAtOnce is how many messages one transaction deletes. Senders in the room wait for it.
const pruneAtOnce = 1000

// prune deletes all messages except the newest ones of each room. It returns how many it deleted, also if it failed before the end.
func (m messages) prune(ctx context.Context, keep int64) (deleted int64, err error) {
	for {
		some, err := m.pruneSome(ctx, keep)
		if errors.Is(err, pgx.ErrNoRows) {
			return deleted, nil
		}
		if err != nil {
			return deleted, postgres.Status(err)
		}
		deleted += some
	}
}

// pruneSome returns pgx.ErrNoRows if no room has too many messages. The condition is repeated outside of the subquery because PostgreSQL does
// not evaluate the subquery again after it waited for another replica that pruned the same room.
func (m messages) pruneSome(ctx context.Context, keep int64) (deleted int64, err error) {
	err = m.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var room string
		var upTo int64
		err := tx.QueryRow(ctx, `
			UPDATE rooms SET pruned = least(last_id - $1, pruned + $2)
			WHERE room = (SELECT room FROM rooms WHERE last_id - pruned > $1 LIMIT 1) AND last_id - pruned > $1
			RETURNING room, pruned`, keep, pruneAtOnce).Scan(&room, &upTo)
		if err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, "DELETE FROM messages WHERE room = $1 AND id <= $2", room, upTo)
		deleted = gone.RowsAffected()
		return err
	})
	return deleted, err
}

func errPruned(upTo int64) error {
	return refusal.New(codes.OutOfRange, ReasonPruned,
		fmt.Sprintf("after_id: the messages up to %d are no longer kept; join again after 0 for all that are", upTo))
}
