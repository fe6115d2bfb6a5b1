package postgres_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Stopping(m)) }

var migrations = fstest.MapFS{
	"1_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL CONSTRAINT notes_text UNIQUE);\n")},
}

func insert(ctx context.Context, db *postgres.DB, id int, text string) error {
	return db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO notes VALUES ($1, $2)", id, text)
		return err
	})
}

func count(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM notes").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reason returns the code and the reason of a refusal.
func reason(err error) (codes.Code, string) {
	err = postgres.Status(err)
	return status.Code(err), refusal.Reason(err)
}

var errOurs = errors.New("ours")
