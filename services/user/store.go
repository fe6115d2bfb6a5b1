package user

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// store keeps users. It returns errors with a gRPC status.
type store struct{ db *postgres.DB }

type newUser struct {
	// number 0 means the next free one.
	number      int64
	name, email string
	age         int32
	// caller is its verified identity; empty in plaintext.
	caller string
	// key may be empty.
	key    string
	digest []byte
}

func (s *store) get(ctx context.Context, n int64) (*userv1.User, error) {
	var u *userv1.User
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		row := conn.QueryRow(ctx, "SELECT number, name, email, age FROM users WHERE number = $1", n)
		var err error
		u, err = scanUser(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound(n)
	}
	return u, postgres.Status(err)
}

func scanUser(row pgx.Row, more ...any) (*userv1.User, error) {
	var n int64
	u := &userv1.User{}
	if err := row.Scan(append([]any{&n, &u.Name, &u.Email, &u.Age}, more...)...); err != nil {
		return nil, err
	}
	u.UserId = fmt.Sprintf("u-%d", n)
	return u, nil
}

// create stores a user. It retries if a number that it chose was taken. If two requests with the same key run at the same time, one of them
// violates a unique constraint, retries, and finds the user of the other.
func (s *store) create(ctx context.Context, n newUser) (*userv1.User, error) {
	const attempts = 10
	var u *userv1.User
	var err error
	for attempt := range attempts {
		err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			var err error
			u, err = insertUser(ctx, tx, n)
			return err
		})
		id, email, key := postgres.IsDuplicate(err, "users_pkey"), postgres.IsDuplicate(err, "users_email"), postgres.IsDuplicate(err, "users_key")
		if again := id && n.number == 0 || key || n.key != "" && attempt == 0 && (id || email); !again {
			break
		}
	}
	switch {
	case postgres.IsDuplicate(err, "users_email"):
		return nil, emailTaken(n.email)
	case postgres.IsDuplicate(err, "users_pkey"):
		return nil, idTaken(n.number)
	}
	return u, postgres.Status(err)
}

// usersOfKey selects the user of a key. Users of an earlier version have no caller: their keys belong to every caller.
const usersOfKey = `
	SELECT number, name, email, age, request_digest FROM users
	WHERE idempotency_key = $1 AND coalesce(caller, $2) = $2 ORDER BY caller NULLS LAST LIMIT 1`

func insertUser(ctx context.Context, tx pgx.Tx, n newUser) (*userv1.User, error) {
	if n.key != "" {
		var digest []byte
		before, err := scanUser(tx.QueryRow(ctx, usersOfKey, n.key, n.caller), &digest)
		switch {
		case err == nil && bytes.Equal(digest, n.digest):
			return before, nil
		case err == nil:
			return nil, keyReused()
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, err
		}
	}
	return scanUser(tx.QueryRow(ctx, `
		INSERT INTO users (number, name, email, age, idempotency_key, request_digest, caller)
		VALUES (coalesce(nullif($1, 0), nextval('user_numbers')), $2, $3, $4, nullif($5, ''), $6, $7)
		RETURNING number, name, email, age`, n.number, n.name, n.email, n.age, n.key, n.digest, n.caller))
}
