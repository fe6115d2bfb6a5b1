package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestStatus_SQLSTATE makes a real server raise each code.
func TestStatus_SQLSTATE(t *testing.T) {
	server := pgtest.Shared(t)
	db := pgtest.Open(t, server.Config(t, server.Database(t), "userservice", "users"))
	pgtest.Eventually(t, "ready", db.Ready)
	for _, c := range []struct {
		codes []string
		code  codes.Code
		why   string
		after time.Duration
	}{
		{[]string{"25006"}, codes.Unavailable, postgres.ReasonReadOnly, time.Second},
		{[]string{"57P01", "57P02", "57P03", "57P04", "57P05", "08000", "08003", "08006", "08P01", "53100", "53300", "58030", "25P03", "40003", "55000", "26000"},
			codes.Unavailable, postgres.ReasonAway, time.Second},
		{[]string{"22021", "22P05"}, codes.InvalidArgument, "", 0},
		{[]string{"57014"}, codes.DeadlineExceeded, "", 0},
		{[]string{"40001", "40P01"}, codes.Aborted, "", 0},
		{[]string{"42601", "23514", "22003", "XX000"}, codes.Internal, "", 0},
	} {
		for _, state := range c.codes {
			err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, fmt.Sprintf("DO $$ BEGIN RAISE 'test' USING ERRCODE = '%s'; END $$", state))
				return err
			})
			code, why := reason(err)
			after, _ := refusal.RetryDelay(postgres.Status(err))
			if code != c.code || why != c.why || after != c.after {
				t.Errorf("SQLSTATE %s: %s %q, try again after %s; want %s %q, %s", state, code, why, after, c.code, c.why, c.after)
			}
		}
	}
}

// TestConn_ReadOnlyServer checks that a connection to a server that refuses writes is replaced, as after a failover.
func TestConn_ReadOnlyServer(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	cfg.Migrations, cfg.MaxConns = migrations, 1
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", db.Ready)
	readOnly := func(value string) {
		t.Helper()
		err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
			// Read-only applies to this connection.
			_, err := conn.Exec(ctx, "SET default_transaction_read_only = "+value)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	readOnly("on")
	err := insert(t.Context(), db, 1, "x")
	if code, why := reason(err); code != codes.Unavailable || why != postgres.ReasonReadOnly {
		t.Errorf("a write got %v", err)
	}
	if after, ok := refusal.RetryDelay(postgres.Status(err)); !ok || after <= 0 {
		t.Errorf("no RetryInfo: %v", err)
	}
	if err := insert(t.Context(), db, 1, "x"); err != nil {
		t.Errorf("the connection was kept: %v", err)
	}
}

// TestMigrate_ReadOnlyServer checks that migrations wait for a server that accepts writes, although a broken migration ends the program.
func TestMigrate_ReadOnlyServer(t *testing.T) {
	server := pgtest.Shared(t)
	name := server.Database(t)
	cfg := server.Config(t, name, "userservice", "users")
	set := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", set.Ready)
	readOnly := func(value string) {
		t.Helper()
		err := set.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
			// A connection that the pool has opened in the meantime is read-only by default.
			_, err := conn.Exec(ctx, "BEGIN READ WRITE; ALTER ROLE users IN DATABASE "+name+" SET default_transaction_read_only = "+value+"; COMMIT")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	readOnly("on")
	cfg.Migrations = migrations
	// Open fails the test if Run ends with an error.
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "a migration was rolled back", func() bool { return otherSessions(t, set, "rollback") > 0 })
	if code, why := reason(insert(t.Context(), db, 1, "x")); code != codes.Unavailable || why != postgres.ReasonAway {
		t.Errorf("before the migrations: got %s %s", code, why)
	}
	readOnly("off")
	pgtest.Eventually(t, "the migrations are applied", func() bool { return insert(t.Context(), db, 1, "x") == nil })
}

// otherSessions returns how many other sessions of the database last ran a statement that contains text.
func otherSessions(t *testing.T, db *postgres.DB, text string) (n int) {
	t.Helper()
	err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND position($1 in query) > 0`, text).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
