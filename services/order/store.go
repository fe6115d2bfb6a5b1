package order

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// store keeps orders. It returns errors with a gRPC status.
type store struct {
	db    *postgres.DB
	lease time.Duration
}

// ReasonInProgress is the reason of ABORTED: another worker is processing the same request.
const ReasonInProgress = "ORDER_IN_PROGRESS"

// errTaken means that another worker has taken the order over, because this one was too slow.
var errTaken = refusal.New(codes.Aborted, "ORDER_TAKEN_OVER", "another worker has taken the order over; try again", refusal.After(time.Second))

type newOrder struct {
	userID, name string
	lines        []line
	// caller is its verified identity; empty in plaintext.
	caller string
	// key may be empty.
	key    string
	digest []byte
}

const columns = "number, order_id, user_id, user_name, lines, total_cents, state, code, reason, message, again, owner, created, pruning IS NOT NULL"

func scan(row pgx.CollectableRow) (*order, error) {
	o := &order{}
	var code int
	err := row.Scan(&o.number, &o.id, &o.userID, &o.name, &o.lines, &o.total, &o.state, &code, &o.failure.reason, &o.failure.message, &o.failure.retryable, &o.owner, &o.created,
		&o.pruning)
	o.failure.code = codes.Code(code) //nolint:gosec // a gRPC code
	return o, err
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func one(ctx context.Context, q querier, sql string, args ...any) (*order, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// begin creates an order for this worker. If the key already has an order, begin returns that one, and takes it over if it is unfinished and
// no other worker has it.
func (s *store) begin(ctx context.Context, n newOrder) (o *order, err error) {
	if n.key == "" {
		err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			o, err = s.insert(ctx, conn, n)
			return err
		})
	} else {
		err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if o, err = s.takeByKey(ctx, tx, n); o == nil && err == nil {
				o, err = s.insert(ctx, tx, n)
			}
			return err
		})
	}
	if err != nil {
		return nil, postgres.Status(err)
	}
	return o, nil
}

func (s *store) insert(ctx context.Context, q querier, n newOrder) (*order, error) {
	return one(ctx, q, `
		INSERT INTO orders (order_id, user_id, user_name, lines, state, idempotency_key, request_digest, owner, lease, caller)
		VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7, $8, now() + $9, $10) RETURNING `+columns,
		"o-"+rand.Text(), n.userID, n.name, n.lines, pending, n.key, n.digest, rand.Text(), s.lease, n.caller)
}

// ofKey selects the last order of a key. Orders of an earlier version have no caller and belong to their user only.
const ofKey = " FROM orders WHERE idempotency_key = $1 AND user_id = $2 AND coalesce(caller, $3) = $3 ORDER BY number DESC LIMIT 1"

var errKeyReused = refusal.Field("idempotency_key", "came with another request before")

// lookup returns the last order of a key in any state, without taking it over; nil if there is none.
func (s *store) lookup(ctx context.Context, n newOrder) (o *order, err error) {
	if n.key == "" {
		return nil, nil
	}
	var same bool
	err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		o, err = one(ctx, conn, "SELECT "+columns+ofKey, n.key, n.userID, n.caller)
		if err != nil {
			return err
		}
		return conn.QueryRow(ctx, "SELECT request_digest = $2 FROM orders WHERE number = $1", o.number, n.digest).Scan(&same)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, postgres.Status(err)
	case !same:
		return nil, errKeyReused
	}
	return o, nil
}

// takeByKey returns the order of a key, and takes it over if it is unfinished. It returns nil if there is none, or if the last one failed for
// a reason that may have disappeared.
func (s *store) takeByKey(ctx context.Context, tx pgx.Tx, n newOrder) (*order, error) {
	// Serialize requests with the same key.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", n.key); err != nil {
		return nil, err
	}
	var digest []byte
	var id string
	var free bool
	err := tx.QueryRow(ctx, "SELECT order_id, request_digest, lease < now()"+ofKey+" FOR UPDATE", n.key, n.userID, n.caller).Scan(&id, &digest, &free)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case !bytes.Equal(digest, n.digest):
		return nil, errKeyReused
	}
	o, err := one(ctx, tx, "SELECT "+columns+" FROM orders WHERE order_id = $1", id)
	switch {
	case err != nil:
		return nil, err
	case o.canRetry():
		return nil, nil
	case o.finished():
		return o, nil
	case !free:
		return nil, refusal.New(codes.Aborted, ReasonInProgress, "the order is being worked on; try again", refusal.After(time.Second))
	}
	return one(ctx, tx, "UPDATE orders SET owner = $2, lease = now() + $3 WHERE order_id = $1 RETURNING "+columns, id, rand.Text(), s.lease)
}

// move stores the next state of an order, if this worker still has the lease. The lease of a finished order ends at
// once, so that it tells when the order was finished.
func (s *store) move(ctx context.Context, o *order, to state) error {
	lease := s.lease
	if to == confirmed || to == cancelled {
		lease = 0
	}
	f := o.failure
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		done, err := conn.Exec(ctx, `
			UPDATE orders SET state = $4, total_cents = $5, code = $6, reason = $7, message = $8, again = $9, lease = now() + $10
			WHERE order_id = $1 AND owner = $2 AND state = $3`,
			o.id, o.owner, o.state, to, o.total, int(f.code), f.reason, f.message, f.retryable, lease)
		if err == nil && done.RowsAffected() != 1 {
			return errTaken
		}
		return err
	})
	if err != nil {
		return postgres.Status(err)
	}
	o.state = to
	return nil
}

// giveUp ends the lease of an order early.
func (s *store) giveUp(ctx context.Context, o *order) error {
	return postgres.Status(s.db.Exec(ctx, "UPDATE orders SET lease = now() WHERE order_id = $1 AND owner = $2", o.id, o.owner))
}

// takeUnfinished takes over orders whose lease has ended.
func (s *store) takeUnfinished(ctx context.Context, most int) (all []*order, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE orders SET owner = $1, lease = now() + $2 WHERE number IN (
				SELECT number FROM orders WHERE state NOT IN ('confirmed', 'cancelled') AND lease < now() ORDER BY lease LIMIT $3 FOR UPDATE SKIP LOCKED)
			RETURNING `+columns, rand.Text(), s.lease, most)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, postgres.Status(err)
}
