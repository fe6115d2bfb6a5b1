package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// DB is the database of one service. The database may be unreachable at any time, also at start: calls then fail quickly with an error that
// Status converts to UNAVAILABLE, and succeed again once it is back.
type DB struct {
	cfg      Config
	pool     *pgxpool.Pool
	migrated atomic.Bool
	ready    atomic.Bool
}

var (
	errAway     = errors.New("the database is unavailable")
	errPoolFull = errors.New("every connection to the database is in use")
)

// Open returns a DB without waiting for the database. The caller runs DB.Run, and calls DB.Close after the last call has finished.
func Open(cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	pc, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	// The context only limits the creation of connections in the background, not the life of the pool.
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("making the database pool: %w", err)
	}
	db := &DB{cfg: cfg, pool: pool}
	db.migrated.Store(cfg.Migrations == nil)
	return db, nil
}

// Close closes the pool. It waits for connections that are in use.
func (db *DB) Close() { db.pool.Close() }

// Ready reports whether the last check by Run reached the database with every migration applied.
func (db *DB) Ready() bool { return db.ready.Load() }

// Run migrates the database as soon as it can be reached and then pings it every Config.Every, until ctx ends. Only a migration that
// PostgreSQL rejects ends it earlier, with an error.
func (db *DB) Run(ctx context.Context) error {
	if err := db.probe(ctx); err != nil {
		return err
	}
	return governance.Every(ctx, db.cfg.Every, db.probe)
}

// probe checks the database once and reports the result. It fails only if a migration was rejected.
func (db *DB) probe(ctx context.Context) error {
	err := db.check(ctx)
	if ctx.Err() == nil {
		if rejected := new(migrationError); errors.As(err, &rejected) {
			return err
		}
		db.report(err)
	}
	return nil
}

func (db *DB) check(ctx context.Context) error {
	if !db.migrated.Load() {
		if err := db.migrate(ctx); err != nil {
			return err
		}
		db.migrated.Store(true)
	}
	err := db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
	if errors.Is(err, errPoolFull) {
		// A full pool means a busy database, not an unreachable one.
		return nil
	}
	return err
}

func (db *DB) report(err error) {
	is := err == nil
	if db.ready.Swap(is) == is {
		return
	}
	if is {
		db.cfg.Log.Info("the database is available", "address", db.cfg.Addr)
	} else {
		db.cfg.Log.Warn("the database is unavailable", "address", db.cfg.Addr, "error", err)
	}
	db.cfg.OnReady(is)
}

// Conn calls do with a connection from the pool. It waits at most Config.Acquire for the connection and gives do at most Config.Work.
func (db *DB) Conn(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	work, cancel := context.WithTimeout(ctx, db.cfg.Work)
	defer cancel()
	conn, err := db.acquire(work)
	if err == nil {
		defer conn.Release()
		if err = do(work, conn.Conn()); isReadOnly(err) {
			// The pool opens a new connection, which may lead to another server.
			_ = conn.Conn().Close(work)
		}
	}
	return markOwnTimeout(ctx, err)
}

// Tx runs do in a transaction, and again if the transaction lost a conflict with another one, so do must reset its results. If the connection
// breaks during the commit, the outcome is unknown: work that must not happen twice needs an idempotency key.
func (db *DB) Tx(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	return db.untilNoConflict(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return do(ctx, tx) })
	})
}

// Exec runs one statement, and again if it lost a conflict with another transaction. What is said of a commit in Tx is true of the statement.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) error {
	return db.untilNoConflict(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// untilNoConflict is Conn, again while the error is a conflict, but not for ever.
func (db *DB) untilNoConflict(ctx context.Context, do func(context.Context, *pgx.Conn) error) (err error) {
	const attempts = 4
	for range attempts {
		if err = db.Conn(ctx, do); !isConflict(err) {
			break
		}
	}
	return err
}

// acquire waits for a connection for a limited time. Its error is errPoolFull or wraps errAway.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if !db.migrated.Load() {
		return nil, errAway
	}
	wait, cancel := context.WithTimeout(ctx, db.cfg.Acquire)
	defer cancel()
	conn, err := db.pool.Acquire(wait)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() == nil && wait.Err() != nil && db.pool.Stat().AcquiredConns() == db.cfg.MaxConns {
		return nil, errPoolFull
	}
	return nil, fmt.Errorf("%w: %w", errAway, err)
}

// markOwnTimeout turns an expired deadline into errAway if the deadline was ours. One that the caller set stays DEADLINE_EXCEEDED.
func markOwnTimeout(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errAway) {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return err
}
